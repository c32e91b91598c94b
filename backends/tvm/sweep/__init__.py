"""The sweep: an elementwise formula as compiled for a target, run on every input there is, in order."""
