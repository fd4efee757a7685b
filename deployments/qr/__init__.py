"""QR codes: `QrIssuer` issues passes, `QrScanner` answers scans."""
