"""`python -m authcontract_conformance` is the same as `authcontract`."""

from authcontract_conformance.cli import main

main()
