"""Other runtimes, to race against: each in a process of its own, so that neither their threads nor their libraries meet ours."""

from .start import start_peers as start_peers
