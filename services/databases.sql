-- Each service has its own database. Run once, by the image of PostgreSQL, when the volume is new.
CREATE DATABASE eduscope;
CREATE DATABASE hub;
CREATE DATABASE connector;
