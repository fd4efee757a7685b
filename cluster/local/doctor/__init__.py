"""The checks of `fitmonitor doctor`."""
