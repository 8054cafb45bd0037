CREATE TABLE authorization_codes (
  version BIGINT DEFAULT 0 NOT NULL,
  digest TEXT NOT NULL,
  client_id TEXT DEFAULT '' NOT NULL,
  subject_id TEXT DEFAULT '' NOT NULL,
  subject_epoch BIGINT DEFAULT 0 NOT NULL,
  consent_id TEXT DEFAULT '' NOT NULL,
  session_id TEXT,
  proved_at TEXT,
  redirect_uri TEXT DEFAULT '' NOT NULL,
  challenge TEXT DEFAULT '' NOT NULL,
  nonce TEXT,
  "key" TEXT,
  used_grant TEXT,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (digest)
);
CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);
CREATE TABLE challenges (
  version BIGINT DEFAULT 0 NOT NULL,
  challenge_id TEXT NOT NULL,
  purpose TEXT DEFAULT '' NOT NULL,
  subject_id TEXT DEFAULT '' NOT NULL,
  method_id TEXT DEFAULT '' NOT NULL,
  address TEXT DEFAULT '' NOT NULL,
  digest TEXT DEFAULT '' NOT NULL,
  code_mac BLOB DEFAULT (x'') NOT NULL,
  generation TEXT DEFAULT '' NOT NULL,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  spent_at TEXT,
  pkce TEXT,
  ip_address TEXT DEFAULT '' NOT NULL,
  user_agent TEXT DEFAULT '' NOT NULL,
  redirect_url TEXT DEFAULT '' NOT NULL,
  session_id TEXT,
  adds_address BOOLEAN DEFAULT 0 NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (challenge_id)
);
CREATE INDEX challenges_expiry ON challenges (expires_at);
CREATE INDEX challenges_subject ON challenges (subject_id, challenge_id);
CREATE TABLE challenges_digest (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX challenges_digest_record ON challenges_digest (record);
CREATE TABLE connected_apps (
  version BIGINT DEFAULT 0 NOT NULL,
  client_id TEXT NOT NULL,
  client_type TEXT DEFAULT '' NOT NULL,
  client_name TEXT DEFAULT '' NOT NULL,
  client_description TEXT DEFAULT '' NOT NULL,
  status TEXT DEFAULT 'active' NOT NULL,
  full_access_allowed BOOLEAN DEFAULT 0 NOT NULL,
  bypass_consent_for_offline_access BOOLEAN DEFAULT 0 NOT NULL,
  access_token_expiry_minutes BIGINT DEFAULT 60 NOT NULL,
  access_token_custom_audience TEXT,
  access_token_template_content TEXT DEFAULT '' NOT NULL,
  id_token_template_content TEXT DEFAULT '' NOT NULL,
  logo_url TEXT,
  creation_method TEXT DEFAULT 'manual' NOT NULL,
  client_id_metadata_url TEXT,
  described_at TEXT,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TEXT,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (client_id)
);
CREATE INDEX connected_apps_created ON connected_apps (created_at, client_id);
CREATE INDEX connected_apps_expiry ON connected_apps (expires_at);
CREATE TABLE consents (
  version BIGINT DEFAULT 0 NOT NULL,
  consent_key TEXT NOT NULL,
  consent_id TEXT DEFAULT '' NOT NULL,
  subject_id TEXT DEFAULT '' NOT NULL,
  client_id TEXT DEFAULT '' NOT NULL,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  updated_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (consent_key)
);
CREATE INDEX consents_client ON consents (client_id, consent_key);
CREATE INDEX consents_subject ON consents (subject_id, consent_key);
CREATE TABLE credentials (
  version BIGINT DEFAULT 0 NOT NULL,
  part_id TEXT NOT NULL,
  subject_id TEXT DEFAULT '' NOT NULL,
  kind TEXT DEFAULT '' NOT NULL,
  sealed BLOB DEFAULT (x'') NOT NULL,
  counter BIGINT DEFAULT 0 NOT NULL,
  changed_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (part_id)
);
CREATE INDEX credentials_subject ON credentials (subject_id, part_id);
CREATE TABLE deliveries (
  version BIGINT DEFAULT 0 NOT NULL,
  delivery_id TEXT NOT NULL,
  listener TEXT DEFAULT '' NOT NULL,
  object_id TEXT DEFAULT '' NOT NULL,
  position TEXT DEFAULT '' NOT NULL,
  sealed BLOB DEFAULT (x'') NOT NULL,
  due_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  attempts BIGINT DEFAULT 0 NOT NULL,
  waiting BOOLEAN DEFAULT 0 NOT NULL,
  expires_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (delivery_id)
);
CREATE INDEX deliveries_about ON deliveries (listener, object_id, position, delivery_id);
CREATE INDEX deliveries_due ON deliveries (listener, due_at, delivery_id);
CREATE INDEX deliveries_expiry ON deliveries (expires_at);
CREATE TABLE device_requests (
  version BIGINT DEFAULT 0 NOT NULL,
  digest TEXT NOT NULL,
  user_code TEXT DEFAULT '' NOT NULL,
  client_id TEXT DEFAULT '' NOT NULL,
  subject_id TEXT DEFAULT '' NOT NULL,
  subject_epoch BIGINT DEFAULT 0 NOT NULL,
  consent_id TEXT DEFAULT '' NOT NULL,
  session_id TEXT,
  proved_at TEXT,
  denied BOOLEAN DEFAULT 0 NOT NULL,
  used_grant TEXT,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (digest)
);
CREATE INDEX device_requests_expiry ON device_requests (expires_at);
CREATE TABLE device_requests_user_code (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX device_requests_user_code_record ON device_requests_user_code (record);
CREATE TABLE email_templates (
  version BIGINT DEFAULT 0 NOT NULL,
  template_id TEXT NOT NULL,
  type TEXT DEFAULT '' NOT NULL,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  changed_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (template_id)
);
CREATE TABLE events (
  version BIGINT DEFAULT 0 NOT NULL,
  event_id TEXT NOT NULL,
  request_id TEXT DEFAULT '' NOT NULL,
  action TEXT DEFAULT '' NOT NULL,
  status TEXT DEFAULT '' NOT NULL,
  http_status BIGINT DEFAULT 0 NOT NULL,
  error_type TEXT DEFAULT '' NOT NULL,
  source TEXT DEFAULT 'DIRECT' NOT NULL,
  audience TEXT DEFAULT 'python' NOT NULL,
  actor TEXT DEFAULT 'project' NOT NULL,
  subject_id TEXT DEFAULT '' NOT NULL,
  factor TEXT DEFAULT '' NOT NULL,
  remark TEXT DEFAULT '' NOT NULL,
  ip_address TEXT DEFAULT '' NOT NULL,
  started_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  ended_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (event_id)
);
CREATE INDEX events_action ON events (action, started_at, event_id);
CREATE INDEX events_expiry ON events (expires_at);
CREATE INDEX events_request ON events (request_id, event_id);
CREATE INDEX events_started ON events (started_at, event_id);
CREATE INDEX events_status ON events (status, started_at, event_id);
CREATE INDEX events_subject ON events (subject_id, started_at, event_id);
CREATE TABLE first_keys (
  version BIGINT DEFAULT 0 NOT NULL,
  name TEXT NOT NULL,
  kid TEXT DEFAULT '' NOT NULL,
  PRIMARY KEY (name)
);
CREATE TABLE fraud_rules (
  version BIGINT DEFAULT 0 NOT NULL,
  rule_key TEXT NOT NULL,
  rule_type TEXT DEFAULT '' NOT NULL,
  identifier TEXT DEFAULT '' NOT NULL,
  description TEXT DEFAULT '' NOT NULL,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  updated_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TEXT,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (rule_key)
);
CREATE INDEX fraud_rules_created ON fraud_rules (created_at, rule_key);
CREATE INDEX fraud_rules_expiry ON fraud_rules (expires_at);
CREATE TABLE grants (
  version BIGINT DEFAULT 0 NOT NULL,
  grant_id TEXT NOT NULL,
  subject_id TEXT DEFAULT '' NOT NULL,
  subject_kind TEXT DEFAULT 'user' NOT NULL,
  subject_epoch BIGINT DEFAULT 0 NOT NULL,
  client_id TEXT DEFAULT '' NOT NULL,
  consent_id TEXT DEFAULT '' NOT NULL,
  session_id TEXT,
  proved_at TEXT,
  "key" TEXT,
  offline BOOLEAN DEFAULT 0 NOT NULL,
  random BLOB DEFAULT (x'') NOT NULL,
  key_version BIGINT DEFAULT 0 NOT NULL,
  counter BIGINT DEFAULT 0 NOT NULL,
  rotated_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  revoked_at TEXT,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (grant_id)
);
CREATE INDEX grants_client ON grants (client_id, grant_id);
CREATE INDEX grants_expiry ON grants (expires_at);
CREATE INDEX grants_subject ON grants (subject_id, grant_id);
CREATE TABLE m2m_clients (
  version BIGINT DEFAULT 0 NOT NULL,
  client_id TEXT NOT NULL,
  client_name TEXT DEFAULT '' NOT NULL,
  client_description TEXT DEFAULT '' NOT NULL,
  status TEXT DEFAULT 'active' NOT NULL,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (client_id)
);
CREATE INDEX m2m_clients_created ON m2m_clients (created_at, client_id);
CREATE INDEX m2m_clients_name ON m2m_clients (client_name, client_id);
CREATE TABLE m2m_clients_scope (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX m2m_clients_scope_record ON m2m_clients_scope (record);
CREATE TABLE organizations (
  version BIGINT DEFAULT 0 NOT NULL,
  id TEXT NOT NULL,
  slug TEXT DEFAULT '' NOT NULL,
  name TEXT DEFAULT '' NOT NULL,
  session_epoch BIGINT DEFAULT 0 NOT NULL,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (id)
);
CREATE TABLE organizations_slug (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX organizations_slug_record ON organizations_slug (record);
CREATE TABLE outgoing (
  version BIGINT DEFAULT 0 NOT NULL,
  outgoing_id TEXT NOT NULL,
  channel TEXT DEFAULT '' NOT NULL,
  sealed BLOB DEFAULT (x'') NOT NULL,
  event_id TEXT DEFAULT '' NOT NULL,
  due_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  attempts BIGINT DEFAULT 0 NOT NULL,
  reported BOOLEAN DEFAULT 1 NOT NULL,
  expires_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (outgoing_id)
);
CREATE INDEX outgoing_due ON outgoing (due_at, outgoing_id);
CREATE INDEX outgoing_expiry ON outgoing (expires_at);
CREATE TABLE projects (
  version BIGINT DEFAULT 0 NOT NULL,
  project_id TEXT NOT NULL,
  templates_changed BIGINT DEFAULT 0 NOT NULL,
  changed_at TEXT,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (project_id)
);
CREATE TABLE purges (
  version BIGINT DEFAULT 0 NOT NULL,
  purge_id TEXT NOT NULL,
  subject_id TEXT DEFAULT '' NOT NULL,
  epoch BIGINT,
  due_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (purge_id)
);
CREATE INDEX purges_due ON purges (due_at, purge_id);
CREATE TABLE pushed_requests (
  version BIGINT DEFAULT 0 NOT NULL,
  digest TEXT NOT NULL,
  client_id TEXT DEFAULT '' NOT NULL,
  expires_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (digest)
);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);
CREATE TABLE sessions (
  version BIGINT DEFAULT 0 NOT NULL,
  session_id TEXT NOT NULL,
  subject_id TEXT DEFAULT '' NOT NULL,
  subject_kind TEXT DEFAULT 'user' NOT NULL,
  random BLOB DEFAULT (x'') NOT NULL,
  key_version BIGINT DEFAULT 0 NOT NULL,
  digest TEXT DEFAULT '' NOT NULL,
  previous_digest TEXT,
  previous_until TEXT,
  started_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  last_accessed_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  ip_address TEXT DEFAULT '' NOT NULL,
  user_agent TEXT DEFAULT '' NOT NULL,
  subject_epoch BIGINT DEFAULT 0 NOT NULL,
  organization_id TEXT,
  organization_epoch BIGINT DEFAULT 0 NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (session_id)
);
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX sessions_subject ON sessions (subject_id, started_at, session_id);
CREATE TABLE sessions_digest (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX sessions_digest_record ON sessions_digest (record);
CREATE TABLE signing_keys (
  version BIGINT DEFAULT 0 NOT NULL,
  kid TEXT NOT NULL,
  state TEXT DEFAULT '' NOT NULL,
  algorithm TEXT DEFAULT '' NOT NULL,
  purpose TEXT DEFAULT 'session' NOT NULL,
  sealed BLOB DEFAULT (x'') NOT NULL,
  certificate BLOB DEFAULT (x'') NOT NULL,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TEXT,
  PRIMARY KEY (kid)
);
CREATE INDEX signing_keys_expiry ON signing_keys (expires_at);
CREATE INDEX signing_keys_state ON signing_keys (state, kid);
CREATE TABLE spent_tokens (
  version BIGINT DEFAULT 0 NOT NULL,
  token_key TEXT NOT NULL,
  spent_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (token_key)
);
CREATE INDEX spent_tokens_expiry ON spent_tokens (expires_at);
CREATE TABLE users (
  version BIGINT DEFAULT 0 NOT NULL,
  id TEXT NOT NULL,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  status TEXT DEFAULT 'active' NOT NULL,
  session_epoch BIGINT DEFAULT 0 NOT NULL,
  kept_epochs BIGINT DEFAULT 0 NOT NULL,
  external_id TEXT,
  first_name TEXT DEFAULT '' NOT NULL,
  middle_name TEXT DEFAULT '' NOT NULL,
  last_name TEXT DEFAULT '' NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (id)
);
CREATE INDEX users_created ON users (created_at, id);
CREATE INDEX users_status ON users (status, id);
CREATE TABLE users_domain (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX users_domain_record ON users_domain (record);
CREATE TABLE users_email (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_email_record ON users_email (record);
CREATE TABLE users_external_id (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_external_id_record ON users_external_id (record);
CREATE TABLE users_factor (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX users_factor_record ON users_factor (record);
CREATE TABLE users_identity (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_identity_record ON users_identity (record);
CREATE TABLE users_part (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_part_record ON users_part (record);
CREATE TABLE users_phone (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_phone_record ON users_phone (record);
CREATE TABLE users_terms (
  value TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX users_terms_record ON users_terms (record);
CREATE TABLE verdict_overrides (
  version BIGINT DEFAULT 0 NOT NULL,
  verdict_reason TEXT NOT NULL,
  description TEXT DEFAULT '' NOT NULL,
  created_at TEXT DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest TEXT DEFAULT '{}' NOT NULL,
  PRIMARY KEY (verdict_reason)
);
CREATE INDEX verdict_overrides_created ON verdict_overrides (created_at, verdict_reason);
