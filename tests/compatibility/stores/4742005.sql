BEGIN TRANSACTION;
CREATE TABLE answers (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	user_id BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	version TEXT NOT NULL, 
	movie_ids TEXT NOT NULL
);
CREATE TABLE api_keys (
	id VARCHAR NOT NULL, 
	name TEXT NOT NULL, 
	secret_sha256 VARCHAR NOT NULL, 
	scope VARCHAR NOT NULL, 
	created BIGINT NOT NULL, 
	revoked BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "api_keys" VALUES('d9c7dcedb227f8cd','reader','f2eb4088779fd4899a409da410c425b7858d1dc17042981db06a2c2dd4802b69','read',1795814974,NULL);
CREATE TABLE erasures (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	user_id BIGINT NOT NULL, 
	erased_at BIGINT NOT NULL, 
	UNIQUE (user_id)
);
INSERT INTO "erasures" VALUES(1,2,1795814974);
CREATE TABLE facts (
	name VARCHAR NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "facts" VALUES('identity','66e56f1b474e42e78d645598f8c34023');
INSERT INTO "facts" VALUES('format','1');
CREATE TABLE interactions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	user_id BIGINT NOT NULL, 
	movie_id BIGINT NOT NULL, 
	rating REAL NOT NULL, 
	timestamp BIGINT NOT NULL
);
INSERT INTO "interactions" VALUES(1,1,10,4.5,1600000000);
INSERT INTO "interactions" VALUES(2,1,11,2.0,1600000100);
INSERT INTO "interactions" VALUES(4,3,11,1.0,1600000300);
CREATE TABLE movie_changes (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	movie_id BIGINT NOT NULL, 
	deleted BOOLEAN NOT NULL
);
INSERT INTO "movie_changes" VALUES(1,11,1);
CREATE TABLE movies (
	movie_id BIGINT NOT NULL, 
	title TEXT NOT NULL, 
	genres TEXT NOT NULL, 
	PRIMARY KEY (movie_id)
);
INSERT INTO "movies" VALUES(9001,'The Long Reel (2001)','Drama');
CREATE TABLE replies (
	idempotency_key TEXT NOT NULL, 
	body_sha256 VARCHAR NOT NULL, 
	outcomes TEXT NOT NULL, 
	created BIGINT NOT NULL, 
	PRIMARY KEY (idempotency_key)
);
INSERT INTO "replies" VALUES('once','9e08729f512f0b18d6e800ca5407d2278e4555d1d1ac868389c210e829968dba','["added", "added"]',1795814974);
CREATE TABLE reply_users (
	idempotency_key TEXT NOT NULL, 
	user_id BIGINT NOT NULL, 
	PRIMARY KEY (idempotency_key, user_id), 
	FOREIGN KEY(idempotency_key) REFERENCES replies (idempotency_key) ON DELETE CASCADE
);
INSERT INTO "reply_users" VALUES('once',1);
CREATE INDEX interactions_by_user ON interactions (user_id, timestamp, id);
CREATE INDEX ix_movie_changes_movie_id ON movie_changes (movie_id);
CREATE INDEX ix_replies_created ON replies (created);
CREATE INDEX ix_answers_user_id ON answers (user_id);
CREATE INDEX ix_reply_users_user_id ON reply_users (user_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('interactions',4);
INSERT INTO "sqlite_sequence" VALUES('movie_changes',1);
INSERT INTO "sqlite_sequence" VALUES('erasures',1);
COMMIT;
