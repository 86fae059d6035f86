import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  verify,
} from 'node:crypto'
import { crc32c } from '@node-rs/crc32'
import { type JsonRequest, JsonServer, Refusal } from './json-server.ts'

const ALGORITHM = 'aes-256-gcm'
const HEAD_BYTES = 1
const IV_BYTES = 12
const TAG_BYTES = 16

/** State of a key version, as the service names it. */
export type VersionState = 'ENABLED' | 'DISABLED' | 'DESTROY_SCHEDULED' | 'DESTROYED'

interface Version {
  readonly material: Buffer
  state: VersionState
}

/** The key file of a service account, as Google hands it out. */
export function serviceAccountFile(): { readonly json: string; readonly publicKey: KeyObject } {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const json = JSON.stringify({
    type: 'service_account',
    project_id: 'p',
    private_key_id: randomBytes(20).toString('hex'),
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    client_email: 'sealstream@p.iam.gserviceaccount.com',
    token_uri: 'https://oauth2.googleapis.com/token',
  })
  return { json, publicKey: createPublicKey(privateKey) }
}

/**
 * The part of the documented REST API of Cloud KMS that is used here, v1: encrypt and decrypt of
 * symmetric keys, checksums, states of key versions, errors of google.rpc.Status. Requests must bear
 * a token that the account signed.
 */
export class FakeGoogleKms {
  readonly server: JsonServer
  readonly #account: KeyObject
  readonly #keys = new Map<string, Version[]>()

  constructor(account: KeyObject) {
    this.#account = account
    this.server = new JsonServer((request) => ({ status: 200, body: this.#handle(request) }))
  }

  /** Makes a key with one version, and gives its resource name. */
  createKey(id: string): string {
    const name = `projects/p/locations/europe-west1/keyRings/r/cryptoKeys/${id}`
    this.#keys.set(name, [{ material: randomBytes(32), state: 'ENABLED' }])
    return name
  }

  /** Adds a version, which is the primary one from now on. */
  rotate(name: string): void {
    this.#keys.get(name)?.push({ material: randomBytes(32), state: 'ENABLED' })
  }

  /** Puts every version of a key into a state. */
  setState(name: string, state: VersionState): void {
    for (const version of this.#keys.get(name) ?? []) version.state = state
  }

  #handle({ method, path, headers, body }: JsonRequest): unknown {
    if (!this.#isSigned(headers.authorization)) {
      throw refusal(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.')
    }
    const [, name = '', verb] = /^\/v1\/([^:]+):(encrypt|decrypt)$/.exec(path) ?? []
    if (method !== 'POST' || verb === undefined) throw new Refusal(404, '<html>404</html>')
    const versions = this.#keys.get(name)
    if (versions === undefined) throw refusal(404, 'NOT_FOUND', `CryptoKey ${name} not found.`)
    return verb === 'encrypt' ? encrypt(name, versions, body) : decrypt(name, versions, body)
  }

  #isSigned(authorization = ''): boolean {
    const [head = '', claims = '', signature = ''] = authorization
      .slice('Bearer '.length)
      .split('.')
    const { scope = '', exp } = JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}')
    const isForKms = scope.split(' ').includes('https://www.googleapis.com/auth/cloudkms')
    return (
      isForKms &&
      exp > 0 &&
      verify(
        'sha256',
        Buffer.from(`${head}.${claims}`),
        this.#account,
        Buffer.from(signature, 'base64url'),
      )
    )
  }
}

function encrypt(name: string, versions: readonly Version[], body: JsonRequest['body']): unknown {
  const plaintext = received(body, 'plaintext')
  const aad = received(body, 'additionalAuthenticatedData')
  const { material } = usable(name, versions, versions.length)
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv(ALGORITHM, material, iv)
  cipher.setAAD(aad)
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()])
  const ciphertext = Buffer.concat([
    Buffer.from([versions.length]),
    iv,
    cipher.getAuthTag(),
    sealed,
  ])
  return {
    name: `${name}/cryptoKeyVersions/${versions.length}`,
    ciphertext: ciphertext.toString('base64'),
    ciphertextCrc32c: String(crc32c(ciphertext)),
    verifiedPlaintextCrc32c: 'plaintextCrc32c' in body,
    verifiedAdditionalAuthenticatedDataCrc32c: 'additionalAuthenticatedDataCrc32c' in body,
    protectionLevel: 1,
  }
}

function decrypt(name: string, versions: readonly Version[], body: JsonRequest['body']): unknown {
  const ciphertext = received(body, 'ciphertext')
  const aad = received(body, 'additionalAuthenticatedData')
  const number = ciphertext[0] ?? 0
  if (ciphertext.length < HEAD_BYTES + IV_BYTES + TAG_BYTES || number > versions.length) {
    throw invalid("Decryption failed: verify that 'name' refers to the correct CryptoKey.")
  }
  const { material } = usable(name, versions, number)
  const tagAt = HEAD_BYTES + IV_BYTES
  const decipher = createDecipheriv(ALGORITHM, material, ciphertext.subarray(HEAD_BYTES, tagAt))
  decipher.setAAD(aad)
  decipher.setAuthTag(ciphertext.subarray(tagAt, tagAt + TAG_BYTES))
  let plaintext: Buffer
  try {
    const sealed = ciphertext.subarray(tagAt + TAG_BYTES)
    plaintext = Buffer.concat([decipher.update(sealed), decipher.final()])
  } catch {
    throw invalid('Decryption failed: the ciphertext is invalid.')
  }
  return {
    plaintext: plaintext.toString('base64'),
    plaintextCrc32c: String(crc32c(plaintext)),
    usedPrimary: number === versions.length,
    protectionLevel: 1,
  }
}

/** A field of bytes, refused when it is not what its checksum says. */
function received(body: JsonRequest['body'], field: string): Buffer {
  const bytes = Buffer.from(body[field] ?? '', 'base64')
  const sum = body[`${field}Crc32c`]
  if (sum !== undefined && Number(sum) !== crc32c(bytes)) {
    throw invalid(`The checksum in field ${field}_crc32c did not match the data in field ${field}.`)
  }
  return bytes
}

function usable(name: string, versions: readonly Version[], number: number): Version {
  const version = versions[number - 1]
  if (version === undefined) throw invalid('Decryption failed: the ciphertext is invalid.')
  if (version.state === 'ENABLED') return version
  throw refusal(
    400,
    'FAILED_PRECONDITION',
    `${name}/cryptoKeyVersions/${number} is not enabled, current state is: ${version.state}.`,
  )
}

const invalid = (message: string) => refusal(400, 'INVALID_ARGUMENT', message)

/** An error as the service renders it. */
export function refusal(
  code: number,
  status: string,
  message: string,
  details: readonly unknown[] = [],
): Refusal {
  return new Refusal(code, { error: { code, message, status, details } })
}
