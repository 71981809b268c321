CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (1);
CREATE TABLE incidents (
  id BIGINT PRIMARY KEY, state VARCHAR NOT NULL, kind VARCHAR NOT NULL,
  direction VARCHAR NOT NULL, namespace VARCHAR NOT NULL, address VARCHAR, port INTEGER, process VARCHAR,
  cause_id VARCHAR, cause_status VARCHAR, cause_title VARCHAR, sentence VARCHAR NOT NULL, outcome VARCHAR,
  first_ns BIGINT NOT NULL, last_ns BIGINT NOT NULL, closed_ns BIGINT, closed_because VARCHAR,
  attempts BIGINT NOT NULL, clients BIGINT NOT NULL,
  client_networks VARCHAR NOT NULL, changes VARCHAR NOT NULL, repairs VARCHAR NOT NULL);
CREATE TABLE samples (id BIGINT PRIMARY KEY, samples VARCHAR NOT NULL);
CREATE TABLE counts (
  at_ns BIGINT NOT NULL, interval_ms INTEGER NOT NULL,
  direction VARCHAR NOT NULL, namespace VARCHAR NOT NULL, address VARCHAR, port INTEGER, process VARCHAR,
  answered BIGINT NOT NULL, refused BIGINT NOT NULL, failed BIGINT NOT NULL);
CREATE TABLE absorbed (segment VARCHAR PRIMARY KEY, at_ns BIGINT NOT NULL);
CREATE TABLE removed (last_id BIGINT NOT NULL);
INSERT INTO removed VALUES (0);
INSERT INTO incidents VALUES (41, 'closed', 'failure', 'inbound', 'local', NULL, 443, 'nginx', 'no-return-route', 'confirmed',
  'The server has no route back to the client', 'web7 has no route back', 'no-reply', 1795183200000000000, 1795183260000000000, NULL, NULL,
  12, 1, '[{"network":"198.51.100.0/24","attempts":12}]', '[]', '[]');
INSERT INTO samples VALUES (41, '[{"sentence":"old sample"}]');
INSERT INTO counts VALUES (1795183200000000000, 10000, 'inbound', 'local', NULL, 443, NULL, 5, 0, 1);
