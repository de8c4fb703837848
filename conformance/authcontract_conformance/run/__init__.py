"""One run from start to verdict: reaching a target, calibrating, driving, adding up; and the suite proved."""
