"""botocore as a second client of the local AWS: it knows nothing of ours, and brings the uncut models."""
