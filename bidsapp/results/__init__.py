"""Results of the app as data: what is written, how it is tested, what to doubt, read and written.

A recipe declares its results once (`kinds`); writing (`write`), reading back (`read`), the tests
behind p-values (`inferences`) and reasons to doubt (`cautions`) follow from the declarations.
"""
