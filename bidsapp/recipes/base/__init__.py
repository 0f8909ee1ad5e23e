"""What all recipes are made of: the entry, settings, inputs, study, group, shared cautions."""
