"""Network weights, templates and atlases from the network: the one place that opens a socket."""
