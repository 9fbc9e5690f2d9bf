"""The portal that connects a school to Taalblobs and Rekenblobs, and the accounts in those apps."""
