import {
  choice,
  list,
  optional,
  optionalSection,
  required,
  section,
  text,
  withDefault,
} from './leaves.ts'
import { HEADER_TEXT, OBJECT_PREFIX, refuseEndpoint, refuseKeyId } from './rules.ts'
import {
  accessKeyId,
  allowPlainHttp,
  caFile,
  endpoint,
  region,
  requestTimeoutMs,
  SECOND_MS,
  secretAccessKey,
} from './shared-keys.ts'

/** The key management service, and one section for each that there is. */

const aws = section('AWS KMS. Used when provider is aws.', {
  endpoint: endpoint('KMS', 'http://127.0.0.1:4566'),
  allowPlainHttp,
  region,
  accessKeyId,
  secretAccessKey,
})

const vault = optionalSection('HashiCorp Vault or OpenBao, Transit engine. For provider vault.', {
  address: required(
    text({
      about: 'Address of the server.',
      bounds: 'http or https URL',
      refuse: refuseEndpoint,
    }),
    'http://127.0.0.1:8200',
  ),
  allowPlainHttp,
  caFile,
  mount: withDefault(
    text({
      about: 'Path at which the Transit engine is mounted.',
      bounds: 'no slash at either end',
      pattern: OBJECT_PREFIX,
    }),
    'transit',
  ),
  namespace: optional(
    text({ about: 'Namespace of the mount.', bounds: 'visible ASCII', pattern: HEADER_TEXT }),
    'none',
    'team-a',
  ),
  token: optional(
    text({ about: 'Token of this client.', secret: true }),
    'tokenFile must be given',
    'change-me',
  ),
  tokenFile: optional(
    text({ about: 'File that holds the token, as an agent keeps it fresh. Wins over token.' }),
    'token must be given',
    '/run/secrets/vault-token',
  ),
})

const gcp = optionalSection('Google Cloud KMS. For provider gcp.', {
  endpoint: optional(
    text({
      about: 'Address of the Cloud KMS service.',
      bounds: 'http or https URL without a path',
      refuse: refuseEndpoint,
    }),
    'Google',
    'https://cloudkms.googleapis.com',
  ),
  allowPlainHttp,
  credentialsFile: optional(
    text({ about: 'JSON file with the key of a service account.' }),
    'the application default credentials',
    '/etc/sealstream/gcp.json',
  ),
})

const azure = optionalSection('Azure Key Vault or Managed HSM. For provider azure.', {
  algorithm: withDefault(
    choice(['RSA-OAEP-256', 'A256GCM'], {
      about: 'How DEKs are wrapped: RSA keys of a vault, or AES keys of a Managed HSM.',
    }),
    'RSA-OAEP-256',
  ),
  tenantId: optional(
    text({ about: 'Directory of the client. Goes with clientId and clientSecret.' }),
    'the default Azure credentials',
    '00000000-0000-0000-0000-000000000000',
  ),
  clientId: optional(
    text({ about: 'Id of the client. Goes with tenantId and clientSecret.' }),
    'the default Azure credentials',
    '00000000-0000-0000-0000-000000000000',
  ),
  clientSecret: optional(
    text({ about: 'Secret of the client. Goes with tenantId and clientId.', secret: true }),
    'the default Azure credentials',
    'change-me',
  ),
})

const pkcs11 = optionalSection('An HSM with a PKCS#11 module. For provider pkcs11.', {
  module: required(
    text({ about: 'Library of the HSM, as a path.' }),
    '/usr/lib/softhsm/libsofthsm2.so',
  ),
  tokenLabel: required(text({ about: 'Label of the token that holds the KEK.' }), 'sealstream'),
  pin: optional(
    text({ about: 'User PIN of the token.', secret: true }),
    'pinFile must be given',
    'change-me',
  ),
  pinFile: optional(
    text({ about: 'File that holds the user PIN. Wins over pin.' }),
    'pin must be given',
    '/run/secrets/hsm-pin',
  ),
})

const local = optionalSection('A key file. For provider local: laptops and tests, nothing else.', {
  keyFile: required(
    text({ about: 'File with the KEKs, made by sealstream keys local-file. Mode 0600.' }),
    './local-kek.json',
  ),
})

export const kms = section('The key management service that holds the KEK.', {
  provider: withDefault(
    choice(['aws', 'vault', 'gcp', 'azure', 'pkcs11', 'local'], {
      about: 'Which service it is. The section of the same name says how it is reached.',
    }),
    'aws',
  ),
  keyId: required(
    text({
      about: 'KEK that wraps new DEKs, unless an order says another (sealstream rotate status).',
      bounds: 'as the provider names keys, no alias',
      refuse: refuseKeyId,
    }),
    '1234abcd-12ab-34cd-56ef-1234567890ab',
  ),
  allowedKeyIds: withDefault(
    list({
      about: 'More KEKs whose DEKs a reader opens; keyId and keyDomain.keks are always allowed.',
      bounds: 'as the provider names keys, no alias',
      lengthMin: 0,
      refuse: refuseKeyId,
    }),
    [],
  ),
  requestTimeoutMs: requestTimeoutMs(10 * SECOND_MS),
  aws,
  vault,
  gcp,
  azure,
  pkcs11,
  local,
})
