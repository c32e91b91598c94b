"""Facts of layers and networks: the lattice of `cnnir.facts` applied to ops and graphs."""
