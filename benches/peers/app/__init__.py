"""An ordinary web application that keeps the documented contract, or breaks it in the way that `DEFECT` names."""
