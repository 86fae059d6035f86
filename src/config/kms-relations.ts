import type { Problem } from './problems.ts'
import { endpointProblems } from './rules.ts'
import type { Config } from './schema.ts'

type KmsSection = Config['kms']
type Provider = KmsSection['provider']

/** How a provider names keys in the configuration. */
const KEY_NAMES: Readonly<Record<Provider, readonly [RegExp, wanted: string]>> = {
  aws: [/^(?:arn:aws[a-z-]*:kms:[^/]+:key\/)?[A-Za-z0-9-]+$/, 'must be a key id or ARN of AWS KMS'],
  vault: [
    /^(?!.*\/\.\.?\/)(?:[\w.-]+\/)*\w(?:[\w.-]*\w)?$/,
    'must be the name of a Transit key, or mount/name',
  ],
  gcp: [
    /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/,
    'must be projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version',
  ],
  azure: [/^https:\/\/[^/]+\/keys\/[^/]+$/, 'must be https://VAULT/keys/NAME, without a version'],
  pkcs11: [/^(?:pkcs11\/[^/]+\/)?[^/:]+$/, 'must be the label of a secret key'],
  local: [/^(?:local\/)?[^/:]+$/, 'must be the name of a key in kms.local.keyFile'],
}

/** What the KMS section and the KEKs of domains cannot tell value by value. */
export function kmsProblems({ kms, keyDomain }: Config): Problem[] {
  return [
    ...sectionProblems(kms),
    ...endpointProblems('kms.aws', kms.aws),
    ...endpointProblems('kms.gcp', kms.gcp ?? { allowPlainHttp: true }),
    ...endpointProblems(
      'kms.vault',
      { endpoint: kms.vault?.address, allowPlainHttp: kms.vault?.allowPlainHttp ?? true },
      'address',
    ),
    ...cloudProblems(kms),
    ...keyNameProblems(kms, keyDomain),
    ...tokenProblems(kms, keyDomain),
  ]
}

/** What is allowed, and only good for some. */
export function kmsWarnings({ kms }: Config): string[] {
  if (kms.provider !== 'local') return []
  return [
    'kms.provider: is local, whoever can read kms.local.keyFile can open every message; for laptops and tests only',
  ]
}

function sectionProblems({ provider, ...kms }: KmsSection): Problem[] {
  if (kms[provider] === undefined) {
    return [{ path: `kms.${provider}`, reason: `is required beside provider: ${provider}` }]
  }
  const problems: Problem[] = []
  const together = (section: Provider, ...keys: string[]) => {
    const given = keys.filter((key) => key in (kms[section] ?? {}))
    if (given.length === 0 || given.length === keys.length) return
    const missing = keys.find((key) => !given.includes(key))
    problems.push({ path: `kms.${section}.${missing}`, reason: `is required beside ${given[0]}` })
  }
  together('aws', 'accessKeyId', 'secretAccessKey')
  together('azure', 'tenantId', 'clientId', 'clientSecret')
  const either = (section: Provider, key: string, file: string) => {
    if (kms[section] === undefined || key in kms[section] || file in kms[section]) return
    problems.push({ path: `kms.${section}.${file}`, reason: `or ${key} is required` })
  }
  either('vault', 'token', 'tokenFile')
  either('pkcs11', 'pin', 'pinFile')
  return problems
}

function cloudProblems({ provider, keyId, gcp, azure }: KmsSection): Problem[] {
  const problems: Problem[] = []
  if (gcp?.endpoint !== undefined && new URL(gcp.endpoint).pathname !== '/') {
    problems.push({ path: 'kms.gcp.endpoint', reason: 'must have no path' })
  }
  // Managed HSMs are at NAME.managedhsm.azure.net, vaults at NAME.vault.azure.net.
  if (provider === 'azure' && azure?.algorithm === 'A256GCM' && /\.vault\./.test(keyId)) {
    const reason = 'must be RSA-OAEP-256 for keys of a vault, AES keys are in Managed HSMs alone'
    problems.push({ path: 'kms.azure.algorithm', reason })
  }
  return problems
}

function keyNameProblems(kms: KmsSection, keyDomain: Config['keyDomain']): Problem[] {
  const [pattern, wanted] = KEY_NAMES[kms.provider]
  return namedKeys(kms, keyDomain)
    .filter(([, keyId]) => !pattern.test(keyId))
    .map(([path]) => ({ path, reason: wanted }))
}

/** The label of a token is a step of the full names of its keys, which go into object metadata. */
function tokenProblems(kms: KmsSection, keyDomain: Config['keyDomain']): Problem[] {
  if (kms.provider !== 'pkcs11' || kms.pkcs11 === undefined) return []
  const { tokenLabel } = kms.pkcs11
  if (!/^[A-Za-z0-9._-](?:[A-Za-z0-9 ._-]{0,30}[A-Za-z0-9._-])?$/.test(tokenLabel)) {
    const reason = 'must be up to 32 letters, digits, dots, hyphens, underscores and inner spaces'
    return [{ path: 'kms.pkcs11.tokenLabel', reason }]
  }
  return namedKeys(kms, keyDomain)
    .filter(([, keyId]) => keyId.includes('/') && !keyId.startsWith(`pkcs11/${tokenLabel}/`))
    .map(([path]) => ({ path, reason: 'names another token than kms.pkcs11.tokenLabel' }))
}

function namedKeys(
  kms: KmsSection,
  keyDomain: Config['keyDomain'],
): (readonly [path: string, keyId: string])[] {
  return [
    ['kms.keyId', kms.keyId],
    ...kms.allowedKeyIds.map((id, i) => [`kms.allowedKeyIds.${i}`, id] as const),
    ...keyDomain.keks.map(
      (entry, i) => [`keyDomain.keks.${i}`, entry.slice(entry.indexOf('=') + 1)] as const,
    ),
  ]
}
