//! A world for a step: a local AWS with a source instance, its record and its secret. (in the making)
