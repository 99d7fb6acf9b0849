"""Certificates of the tests' own."""
import subprocess


def make_certificate(directory, name, days, stem="server"):
    """(certificate, key) of a host name or address, signed by itself; negative `days`: it has expired."""
    cert, key, request, extensions = (directory / f"{stem}.{end}" for end in ("pem", "key", "csr", "ext"))
    kind = "IP" if name.replace(".", "").isdigit() else "DNS"
    extensions.write_text(f"subjectAltName={kind}:{name}\nbasicConstraints=critical,CA:TRUE\n")
    for arguments in (["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                       "-keyout", key, "-out", request, "-subj", f"/CN={name}"],
                      ["x509", "-req", "-in", request, "-signkey", key, "-out", cert, "-days", days,
                       "-extfile", extensions]):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)
    return cert, key
