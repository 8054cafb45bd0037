"""The table's HTTP: strict reading of what arrives, careful writing of what leaves; no server protocol."""
