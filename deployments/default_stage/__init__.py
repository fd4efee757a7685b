"""The calls of the existing web client under `/default`, translated onto the services. It decides nothing itself."""
