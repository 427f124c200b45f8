"""`rsft verify-resume`: a trial trained undisturbed and trained again with kills, compared bit by bit."""
