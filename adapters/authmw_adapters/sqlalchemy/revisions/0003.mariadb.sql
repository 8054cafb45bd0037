CREATE TABLE authorization_codes (
  version BIGINT NOT NULL DEFAULT 0,
  digest VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  client_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  subject_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  subject_epoch BIGINT NOT NULL DEFAULT 0,
  consent_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  session_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  proved_at DATETIME(6),
  redirect_uri MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  challenge MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  nonce MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  `key` MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  used_grant MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  expires_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (digest)
);
CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);
CREATE TABLE challenges (
  version BIGINT NOT NULL DEFAULT 0,
  challenge_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  purpose MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  subject_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  method_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  address MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  digest MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  code_mac MEDIUMBLOB NOT NULL DEFAULT (x''),
  generation MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  expires_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  spent_at DATETIME(6),
  pkce MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  ip_address MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  user_agent MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  redirect_url MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  session_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  adds_address BOOL NOT NULL DEFAULT 0,
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (challenge_id)
);
CREATE INDEX challenges_expiry ON challenges (expires_at);
CREATE INDEX challenges_subject ON challenges (subject_id, challenge_id);
CREATE TABLE challenges_digest (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX challenges_digest_record ON challenges_digest (record);
CREATE TABLE connected_apps (
  version BIGINT NOT NULL DEFAULT 0,
  client_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  client_type MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  client_name MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  client_description MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  status MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('active'),
  full_access_allowed BOOL NOT NULL DEFAULT 0,
  bypass_consent_for_offline_access BOOL NOT NULL DEFAULT 0,
  access_token_expiry_minutes BIGINT NOT NULL DEFAULT 60,
  access_token_custom_audience MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  access_token_template_content MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  id_token_template_content MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  logo_url MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  creation_method MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('manual'),
  client_id_metadata_url MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  described_at DATETIME(6),
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  expires_at DATETIME(6),
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (client_id)
);
CREATE INDEX connected_apps_created ON connected_apps (created_at, client_id);
CREATE INDEX connected_apps_expiry ON connected_apps (expires_at);
CREATE TABLE consents (
  version BIGINT NOT NULL DEFAULT 0,
  consent_key VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  consent_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  subject_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  client_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  updated_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (consent_key)
);
CREATE INDEX consents_client ON consents (client_id, consent_key);
CREATE INDEX consents_subject ON consents (subject_id, consent_key);
CREATE TABLE credentials (
  version BIGINT NOT NULL DEFAULT 0,
  part_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  subject_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  kind MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  sealed MEDIUMBLOB NOT NULL DEFAULT (x''),
  counter BIGINT NOT NULL DEFAULT 0,
  changed_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  PRIMARY KEY (part_id)
);
CREATE INDEX credentials_subject ON credentials (subject_id, part_id);
CREATE TABLE deliveries (
  version BIGINT NOT NULL DEFAULT 0,
  delivery_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  listener VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  object_id VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  position VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  sealed MEDIUMBLOB NOT NULL DEFAULT (x''),
  due_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  attempts BIGINT NOT NULL DEFAULT 0,
  waiting BOOL NOT NULL DEFAULT 0,
  expires_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  PRIMARY KEY (delivery_id)
);
CREATE INDEX deliveries_about ON deliveries (listener, object_id, position, delivery_id);
CREATE INDEX deliveries_due ON deliveries (listener, due_at, delivery_id);
CREATE INDEX deliveries_expiry ON deliveries (expires_at);
CREATE TABLE device_requests (
  version BIGINT NOT NULL DEFAULT 0,
  digest VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  user_code MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  client_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  subject_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  subject_epoch BIGINT NOT NULL DEFAULT 0,
  consent_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  session_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  proved_at DATETIME(6),
  denied BOOL NOT NULL DEFAULT 0,
  used_grant MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  expires_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (digest)
);
CREATE INDEX device_requests_expiry ON device_requests (expires_at);
CREATE TABLE device_requests_user_code (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX device_requests_user_code_record ON device_requests_user_code (record);
CREATE TABLE email_templates (
  version BIGINT NOT NULL DEFAULT 0,
  template_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  type MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  changed_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (template_id)
);
CREATE TABLE events (
  version BIGINT NOT NULL DEFAULT 0,
  event_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  request_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  action VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  status VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  http_status BIGINT NOT NULL DEFAULT 0,
  error_type MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  source MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('DIRECT'),
  audience MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('python'),
  actor MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('project'),
  subject_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  factor MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  remark MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  ip_address MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  started_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  ended_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  expires_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  PRIMARY KEY (event_id)
);
CREATE INDEX events_action ON events (action, started_at, event_id);
CREATE INDEX events_expiry ON events (expires_at);
CREATE INDEX events_request ON events (request_id, event_id);
CREATE INDEX events_started ON events (started_at, event_id);
CREATE INDEX events_status ON events (status, started_at, event_id);
CREATE INDEX events_subject ON events (subject_id, started_at, event_id);
CREATE TABLE first_keys (
  version BIGINT NOT NULL DEFAULT 0,
  name VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  kid MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  PRIMARY KEY (name)
);
CREATE TABLE fraud_rules (
  version BIGINT NOT NULL DEFAULT 0,
  rule_key VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  rule_type MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  identifier MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  description MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  updated_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  expires_at DATETIME(6),
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (rule_key)
);
CREATE INDEX fraud_rules_created ON fraud_rules (created_at, rule_key);
CREATE INDEX fraud_rules_expiry ON fraud_rules (expires_at);
CREATE TABLE grants (
  version BIGINT NOT NULL DEFAULT 0,
  grant_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  subject_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  subject_kind MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('user'),
  subject_epoch BIGINT NOT NULL DEFAULT 0,
  client_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  consent_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  session_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  proved_at DATETIME(6),
  `key` MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  offline BOOL NOT NULL DEFAULT 0,
  random MEDIUMBLOB NOT NULL DEFAULT (x''),
  key_version BIGINT NOT NULL DEFAULT 0,
  counter BIGINT NOT NULL DEFAULT 0,
  rotated_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  revoked_at DATETIME(6),
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  expires_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (grant_id)
);
CREATE INDEX grants_client ON grants (client_id, grant_id);
CREATE INDEX grants_expiry ON grants (expires_at);
CREATE INDEX grants_subject ON grants (subject_id, grant_id);
CREATE TABLE m2m_clients (
  version BIGINT NOT NULL DEFAULT 0,
  client_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  client_name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  client_description MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  status MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('active'),
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (client_id)
);
CREATE INDEX m2m_clients_created ON m2m_clients (created_at, client_id);
CREATE INDEX m2m_clients_name ON m2m_clients (client_name, client_id);
CREATE TABLE m2m_clients_scope (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX m2m_clients_scope_record ON m2m_clients_scope (record);
CREATE TABLE organizations (
  version BIGINT NOT NULL DEFAULT 0,
  id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  slug MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  name MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  session_epoch BIGINT NOT NULL DEFAULT 0,
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  PRIMARY KEY (id)
);
CREATE TABLE organizations_slug (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX organizations_slug_record ON organizations_slug (record);
CREATE TABLE outgoing (
  version BIGINT NOT NULL DEFAULT 0,
  outgoing_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  channel MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  sealed MEDIUMBLOB NOT NULL DEFAULT (x''),
  event_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  due_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  attempts BIGINT NOT NULL DEFAULT 0,
  reported BOOL NOT NULL DEFAULT 1,
  expires_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  PRIMARY KEY (outgoing_id)
);
CREATE INDEX outgoing_due ON outgoing (due_at, outgoing_id);
CREATE INDEX outgoing_expiry ON outgoing (expires_at);
CREATE TABLE projects (
  version BIGINT NOT NULL DEFAULT 0,
  project_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  templates_changed BIGINT NOT NULL DEFAULT 0,
  changed_at DATETIME(6),
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (project_id)
);
CREATE TABLE purges (
  version BIGINT NOT NULL DEFAULT 0,
  purge_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  subject_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  epoch BIGINT,
  due_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  PRIMARY KEY (purge_id)
);
CREATE INDEX purges_due ON purges (due_at, purge_id);
CREATE TABLE pushed_requests (
  version BIGINT NOT NULL DEFAULT 0,
  digest VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  client_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  expires_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (digest)
);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);
CREATE TABLE sessions (
  version BIGINT NOT NULL DEFAULT 0,
  session_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  subject_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  subject_kind MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('user'),
  random MEDIUMBLOB NOT NULL DEFAULT (x''),
  key_version BIGINT NOT NULL DEFAULT 0,
  digest MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  previous_digest MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  previous_until DATETIME(6),
  started_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  last_accessed_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  expires_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  ip_address MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  user_agent MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  subject_epoch BIGINT NOT NULL DEFAULT 0,
  organization_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  organization_epoch BIGINT NOT NULL DEFAULT 0,
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (session_id)
);
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX sessions_subject ON sessions (subject_id, started_at, session_id);
CREATE TABLE sessions_digest (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX sessions_digest_record ON sessions_digest (record);
CREATE TABLE signing_keys (
  version BIGINT NOT NULL DEFAULT 0,
  kid VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  state VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  algorithm MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  purpose MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('session'),
  sealed MEDIUMBLOB NOT NULL DEFAULT (x''),
  certificate MEDIUMBLOB NOT NULL DEFAULT (x''),
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  expires_at DATETIME(6),
  PRIMARY KEY (kid)
);
CREATE INDEX signing_keys_expiry ON signing_keys (expires_at);
CREATE INDEX signing_keys_state ON signing_keys (state, kid);
CREATE TABLE spent_tokens (
  version BIGINT NOT NULL DEFAULT 0,
  token_key VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  spent_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  expires_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  PRIMARY KEY (token_key)
);
CREATE INDEX spent_tokens_expiry ON spent_tokens (expires_at);
CREATE TABLE users (
  version BIGINT NOT NULL DEFAULT 0,
  id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  status VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('active'),
  session_epoch BIGINT NOT NULL DEFAULT 0,
  kept_epochs BIGINT NOT NULL DEFAULT 0,
  external_id MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  first_name MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  middle_name MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  last_name MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (id)
);
CREATE INDEX users_created ON users (created_at, id);
CREATE INDEX users_status ON users (status, id);
CREATE TABLE users_domain (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX users_domain_record ON users_domain (record);
CREATE TABLE users_email (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_email_record ON users_email (record);
CREATE TABLE users_external_id (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_external_id_record ON users_external_id (record);
CREATE TABLE users_factor (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX users_factor_record ON users_factor (record);
CREATE TABLE users_identity (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_identity_record ON users_identity (record);
CREATE TABLE users_part (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_part_record ON users_part (record);
CREATE TABLE users_phone (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_phone_record ON users_phone (record);
CREATE TABLE users_terms (
  value VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  record VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX users_terms_record ON users_terms (record);
CREATE TABLE verdict_overrides (
  version BIGINT NOT NULL DEFAULT 0,
  verdict_reason VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  description MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT (''),
  created_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00.000000',
  rest MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  PRIMARY KEY (verdict_reason)
);
CREATE INDEX verdict_overrides_created ON verdict_overrides (created_at, verdict_reason);
