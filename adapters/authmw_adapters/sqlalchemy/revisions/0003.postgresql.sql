CREATE TABLE authorization_codes (
  version BIGINT DEFAULT 0 NOT NULL,
  digest TEXT COLLATE "C" NOT NULL,
  client_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  subject_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  subject_epoch BIGINT DEFAULT 0 NOT NULL,
  consent_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  session_id TEXT COLLATE "C",
  proved_at TIMESTAMP WITH TIME ZONE,
  redirect_uri TEXT COLLATE "C" DEFAULT '' NOT NULL,
  challenge TEXT COLLATE "C" DEFAULT '' NOT NULL,
  nonce TEXT COLLATE "C",
  key TEXT COLLATE "C",
  used_grant TEXT COLLATE "C",
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (digest)
);
CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);
CREATE TABLE challenges (
  version BIGINT DEFAULT 0 NOT NULL,
  challenge_id TEXT COLLATE "C" NOT NULL,
  purpose TEXT COLLATE "C" DEFAULT '' NOT NULL,
  subject_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  method_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  address TEXT COLLATE "C" DEFAULT '' NOT NULL,
  digest TEXT COLLATE "C" DEFAULT '' NOT NULL,
  code_mac BYTEA DEFAULT '\x' NOT NULL,
  generation TEXT COLLATE "C" DEFAULT '' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  spent_at TIMESTAMP WITH TIME ZONE,
  pkce TEXT COLLATE "C",
  ip_address TEXT COLLATE "C" DEFAULT '' NOT NULL,
  user_agent TEXT COLLATE "C" DEFAULT '' NOT NULL,
  redirect_url TEXT COLLATE "C" DEFAULT '' NOT NULL,
  session_id TEXT COLLATE "C",
  adds_address BOOLEAN DEFAULT false NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (challenge_id)
);
CREATE INDEX challenges_expiry ON challenges (expires_at);
CREATE INDEX challenges_subject ON challenges (subject_id, challenge_id);
CREATE TABLE challenges_digest (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX challenges_digest_record ON challenges_digest (record);
CREATE TABLE connected_apps (
  version BIGINT DEFAULT 0 NOT NULL,
  client_id TEXT COLLATE "C" NOT NULL,
  client_type TEXT COLLATE "C" DEFAULT '' NOT NULL,
  client_name TEXT COLLATE "C" DEFAULT '' NOT NULL,
  client_description TEXT COLLATE "C" DEFAULT '' NOT NULL,
  status TEXT COLLATE "C" DEFAULT 'active' NOT NULL,
  full_access_allowed BOOLEAN DEFAULT false NOT NULL,
  bypass_consent_for_offline_access BOOLEAN DEFAULT false NOT NULL,
  access_token_expiry_minutes BIGINT DEFAULT 60 NOT NULL,
  access_token_custom_audience TEXT COLLATE "C",
  access_token_template_content TEXT COLLATE "C" DEFAULT '' NOT NULL,
  id_token_template_content TEXT COLLATE "C" DEFAULT '' NOT NULL,
  logo_url TEXT COLLATE "C",
  creation_method TEXT COLLATE "C" DEFAULT 'manual' NOT NULL,
  client_id_metadata_url TEXT COLLATE "C",
  described_at TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (client_id)
);
CREATE INDEX connected_apps_created ON connected_apps (created_at, client_id);
CREATE INDEX connected_apps_expiry ON connected_apps (expires_at);
CREATE TABLE consents (
  version BIGINT DEFAULT 0 NOT NULL,
  consent_key TEXT COLLATE "C" NOT NULL,
  consent_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  subject_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  client_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (consent_key)
);
CREATE INDEX consents_client ON consents (client_id, consent_key);
CREATE INDEX consents_subject ON consents (subject_id, consent_key);
CREATE TABLE credentials (
  version BIGINT DEFAULT 0 NOT NULL,
  part_id TEXT COLLATE "C" NOT NULL,
  subject_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  kind TEXT COLLATE "C" DEFAULT '' NOT NULL,
  sealed BYTEA DEFAULT '\x' NOT NULL,
  counter BIGINT DEFAULT 0 NOT NULL,
  changed_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (part_id)
);
CREATE INDEX credentials_subject ON credentials (subject_id, part_id);
CREATE TABLE deliveries (
  version BIGINT DEFAULT 0 NOT NULL,
  delivery_id TEXT COLLATE "C" NOT NULL,
  listener TEXT COLLATE "C" DEFAULT '' NOT NULL,
  object_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  position TEXT COLLATE "C" DEFAULT '' NOT NULL,
  sealed BYTEA DEFAULT '\x' NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  attempts BIGINT DEFAULT 0 NOT NULL,
  waiting BOOLEAN DEFAULT false NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (delivery_id)
);
CREATE INDEX deliveries_about ON deliveries (listener, object_id, position, delivery_id);
CREATE INDEX deliveries_due ON deliveries (listener, due_at, delivery_id);
CREATE INDEX deliveries_expiry ON deliveries (expires_at);
CREATE TABLE device_requests (
  version BIGINT DEFAULT 0 NOT NULL,
  digest TEXT COLLATE "C" NOT NULL,
  user_code TEXT COLLATE "C" DEFAULT '' NOT NULL,
  client_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  subject_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  subject_epoch BIGINT DEFAULT 0 NOT NULL,
  consent_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  session_id TEXT COLLATE "C",
  proved_at TIMESTAMP WITH TIME ZONE,
  denied BOOLEAN DEFAULT false NOT NULL,
  used_grant TEXT COLLATE "C",
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (digest)
);
CREATE INDEX device_requests_expiry ON device_requests (expires_at);
CREATE TABLE device_requests_user_code (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX device_requests_user_code_record ON device_requests_user_code (record);
CREATE TABLE email_templates (
  version BIGINT DEFAULT 0 NOT NULL,
  template_id TEXT COLLATE "C" NOT NULL,
  type TEXT COLLATE "C" DEFAULT '' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  changed_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (template_id)
);
CREATE TABLE events (
  version BIGINT DEFAULT 0 NOT NULL,
  event_id TEXT COLLATE "C" NOT NULL,
  request_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  action TEXT COLLATE "C" DEFAULT '' NOT NULL,
  status TEXT COLLATE "C" DEFAULT '' NOT NULL,
  http_status BIGINT DEFAULT 0 NOT NULL,
  error_type TEXT COLLATE "C" DEFAULT '' NOT NULL,
  source TEXT COLLATE "C" DEFAULT 'DIRECT' NOT NULL,
  audience TEXT COLLATE "C" DEFAULT 'python' NOT NULL,
  actor TEXT COLLATE "C" DEFAULT 'project' NOT NULL,
  subject_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  factor TEXT COLLATE "C" DEFAULT '' NOT NULL,
  remark TEXT COLLATE "C" DEFAULT '' NOT NULL,
  ip_address TEXT COLLATE "C" DEFAULT '' NOT NULL,
  started_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  ended_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
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
  name TEXT COLLATE "C" NOT NULL,
  kid TEXT COLLATE "C" DEFAULT '' NOT NULL,
  PRIMARY KEY (name)
);
CREATE TABLE fraud_rules (
  version BIGINT DEFAULT 0 NOT NULL,
  rule_key TEXT COLLATE "C" NOT NULL,
  rule_type TEXT COLLATE "C" DEFAULT '' NOT NULL,
  identifier TEXT COLLATE "C" DEFAULT '' NOT NULL,
  description TEXT COLLATE "C" DEFAULT '' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (rule_key)
);
CREATE INDEX fraud_rules_created ON fraud_rules (created_at, rule_key);
CREATE INDEX fraud_rules_expiry ON fraud_rules (expires_at);
CREATE TABLE grants (
  version BIGINT DEFAULT 0 NOT NULL,
  grant_id TEXT COLLATE "C" NOT NULL,
  subject_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  subject_kind TEXT COLLATE "C" DEFAULT 'user' NOT NULL,
  subject_epoch BIGINT DEFAULT 0 NOT NULL,
  client_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  consent_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  session_id TEXT COLLATE "C",
  proved_at TIMESTAMP WITH TIME ZONE,
  key TEXT COLLATE "C",
  offline BOOLEAN DEFAULT false NOT NULL,
  random BYTEA DEFAULT '\x' NOT NULL,
  key_version BIGINT DEFAULT 0 NOT NULL,
  counter BIGINT DEFAULT 0 NOT NULL,
  rotated_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  revoked_at TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (grant_id)
);
CREATE INDEX grants_client ON grants (client_id, grant_id);
CREATE INDEX grants_expiry ON grants (expires_at);
CREATE INDEX grants_subject ON grants (subject_id, grant_id);
CREATE TABLE m2m_clients (
  version BIGINT DEFAULT 0 NOT NULL,
  client_id TEXT COLLATE "C" NOT NULL,
  client_name TEXT COLLATE "C" DEFAULT '' NOT NULL,
  client_description TEXT COLLATE "C" DEFAULT '' NOT NULL,
  status TEXT COLLATE "C" DEFAULT 'active' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (client_id)
);
CREATE INDEX m2m_clients_created ON m2m_clients (created_at, client_id);
CREATE INDEX m2m_clients_name ON m2m_clients (client_name, client_id);
CREATE TABLE m2m_clients_scope (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX m2m_clients_scope_record ON m2m_clients_scope (record);
CREATE TABLE organizations (
  version BIGINT DEFAULT 0 NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  slug TEXT COLLATE "C" DEFAULT '' NOT NULL,
  name TEXT COLLATE "C" DEFAULT '' NOT NULL,
  session_epoch BIGINT DEFAULT 0 NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (id)
);
CREATE TABLE organizations_slug (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX organizations_slug_record ON organizations_slug (record);
CREATE TABLE outgoing (
  version BIGINT DEFAULT 0 NOT NULL,
  outgoing_id TEXT COLLATE "C" NOT NULL,
  channel TEXT COLLATE "C" DEFAULT '' NOT NULL,
  sealed BYTEA DEFAULT '\x' NOT NULL,
  event_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  attempts BIGINT DEFAULT 0 NOT NULL,
  reported BOOLEAN DEFAULT true NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (outgoing_id)
);
CREATE INDEX outgoing_due ON outgoing (due_at, outgoing_id);
CREATE INDEX outgoing_expiry ON outgoing (expires_at);
CREATE TABLE projects (
  version BIGINT DEFAULT 0 NOT NULL,
  project_id TEXT COLLATE "C" NOT NULL,
  templates_changed BIGINT DEFAULT 0 NOT NULL,
  changed_at TIMESTAMP WITH TIME ZONE,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (project_id)
);
CREATE TABLE purges (
  version BIGINT DEFAULT 0 NOT NULL,
  purge_id TEXT COLLATE "C" NOT NULL,
  subject_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  epoch BIGINT,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (purge_id)
);
CREATE INDEX purges_due ON purges (due_at, purge_id);
CREATE TABLE pushed_requests (
  version BIGINT DEFAULT 0 NOT NULL,
  digest TEXT COLLATE "C" NOT NULL,
  client_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (digest)
);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);
CREATE TABLE sessions (
  version BIGINT DEFAULT 0 NOT NULL,
  session_id TEXT COLLATE "C" NOT NULL,
  subject_id TEXT COLLATE "C" DEFAULT '' NOT NULL,
  subject_kind TEXT COLLATE "C" DEFAULT 'user' NOT NULL,
  random BYTEA DEFAULT '\x' NOT NULL,
  key_version BIGINT DEFAULT 0 NOT NULL,
  digest TEXT COLLATE "C" DEFAULT '' NOT NULL,
  previous_digest TEXT COLLATE "C",
  previous_until TIMESTAMP WITH TIME ZONE,
  started_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  last_accessed_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  ip_address TEXT COLLATE "C" DEFAULT '' NOT NULL,
  user_agent TEXT COLLATE "C" DEFAULT '' NOT NULL,
  subject_epoch BIGINT DEFAULT 0 NOT NULL,
  organization_id TEXT COLLATE "C",
  organization_epoch BIGINT DEFAULT 0 NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (session_id)
);
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX sessions_subject ON sessions (subject_id, started_at, session_id);
CREATE TABLE sessions_digest (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX sessions_digest_record ON sessions_digest (record);
CREATE TABLE signing_keys (
  version BIGINT DEFAULT 0 NOT NULL,
  kid TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" DEFAULT '' NOT NULL,
  algorithm TEXT COLLATE "C" DEFAULT '' NOT NULL,
  purpose TEXT COLLATE "C" DEFAULT 'session' NOT NULL,
  sealed BYTEA DEFAULT '\x' NOT NULL,
  certificate BYTEA DEFAULT '\x' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (kid)
);
CREATE INDEX signing_keys_expiry ON signing_keys (expires_at);
CREATE INDEX signing_keys_state ON signing_keys (state, kid);
CREATE TABLE spent_tokens (
  version BIGINT DEFAULT 0 NOT NULL,
  token_key TEXT COLLATE "C" NOT NULL,
  spent_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  PRIMARY KEY (token_key)
);
CREATE INDEX spent_tokens_expiry ON spent_tokens (expires_at);
CREATE TABLE users (
  version BIGINT DEFAULT 0 NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  status TEXT COLLATE "C" DEFAULT 'active' NOT NULL,
  session_epoch BIGINT DEFAULT 0 NOT NULL,
  kept_epochs BIGINT DEFAULT 0 NOT NULL,
  external_id TEXT COLLATE "C",
  first_name TEXT COLLATE "C" DEFAULT '' NOT NULL,
  middle_name TEXT COLLATE "C" DEFAULT '' NOT NULL,
  last_name TEXT COLLATE "C" DEFAULT '' NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (id)
);
CREATE INDEX users_created ON users (created_at, id);
CREATE INDEX users_status ON users (status, id);
CREATE TABLE users_domain (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX users_domain_record ON users_domain (record);
CREATE TABLE users_email (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_email_record ON users_email (record);
CREATE TABLE users_external_id (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_external_id_record ON users_external_id (record);
CREATE TABLE users_factor (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX users_factor_record ON users_factor (record);
CREATE TABLE users_identity (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_identity_record ON users_identity (record);
CREATE TABLE users_part (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_part_record ON users_part (record);
CREATE TABLE users_phone (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value)
);
CREATE INDEX users_phone_record ON users_phone (record);
CREATE TABLE users_terms (
  value TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (value, record)
);
CREATE INDEX users_terms_record ON users_terms (record);
CREATE TABLE verdict_overrides (
  version BIGINT DEFAULT 0 NOT NULL,
  verdict_reason TEXT COLLATE "C" NOT NULL,
  description TEXT COLLATE "C" DEFAULT '' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01T00:00:00.000000+00:00' NOT NULL,
  rest JSON DEFAULT '{}' NOT NULL,
  PRIMARY KEY (verdict_reason)
);
CREATE INDEX verdict_overrides_created ON verdict_overrides (created_at, verdict_reason);
