"""What `fitmonitor doctor` checks on this machine."""
