"""What a clause can see and ask for: keys worth trying, objects, effects, and steps that clauses share."""
