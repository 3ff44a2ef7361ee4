//! How each type of PostgreSQL travels through DMS. (table in the making)
