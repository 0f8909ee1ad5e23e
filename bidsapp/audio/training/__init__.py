"""Training networks to tag music: decoded clips, the loop, evaluation."""
