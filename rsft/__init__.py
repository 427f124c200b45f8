"""rsft: sweeps of reasoning SFT, from one page of Python to compared runs."""

__version__ = "0.1.0"
