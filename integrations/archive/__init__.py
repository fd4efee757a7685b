"""The attendance archive: four Delta Lake tables of the facts that the door reports."""
