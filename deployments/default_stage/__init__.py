"""The existing web client's API under `/default`, translated to calls of the services. It decides nothing itself."""
