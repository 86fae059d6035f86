import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { type JsonAnswer, type JsonRequest, JsonServer, Refusal } from './json-server.ts'

/** A Transit key; tests change what they need. */
export interface FakeTransitKey {
  readonly versions: Buffer[]
  derived: boolean
  type: string
  minDecryptionVersion: number
  minAvailableVersion: number
  softDeleted: boolean
}

const ALGORITHM = 'aes-256-gcm'

/**
 * The HTTP API of Vault as far as Transit needs it, written after Vault's documents and answers, with
 * real derivation and AES-GCM. Like Vault, `encrypt` makes a key that is not there, and keys that do
 * not derive ignore the context.
 */
export class FakeVault {
  readonly server = new JsonServer((request) => this.#answerTo(request))
  /** Keys by `<mount>/<name>`. */
  readonly keys = new Map<string, FakeTransitKey>()
  readonly tokens = new Set(['token'])
  readonly mounts = ['transit', 'team/transit']
  isSealed = false

  /** Makes a key that derives. */
  createKey(fullName: string, over: Partial<FakeTransitKey> = {}): void {
    this.keys.set(fullName, {
      versions: [randomBytes(32)],
      derived: true,
      type: 'aes256-gcm96',
      minDecryptionVersion: 1,
      minAvailableVersion: 0,
      softDeleted: false,
      ...over,
    })
  }

  keyOf(fullName: string): FakeTransitKey {
    const key = this.keys.get(fullName)
    if (key === undefined) throw new Error(`no key ${fullName}`)
    return key
  }

  #answerTo({ method, path, headers, body }: JsonRequest): JsonAnswer {
    if (this.isSealed) throw refusal(503, 'Vault is sealed')
    if (!this.tokens.has(String(headers['x-vault-token']))) throw refusal(403, 'permission denied')
    const mount = this.mounts.find((name) => path.startsWith(`/v1/${name}/`))
    if (mount === undefined) {
      throw refusal(404, `no handler for route "${path.slice(4)}". route entry not found.`)
    }
    const steps = path.slice(`/v1/${mount}/`.length).split('/')
    const name = `${mount}/${steps.pop()}`
    const operation = steps.join('/')
    if (operation === 'encrypt' && !this.keys.has(name)) this.createKey(name)
    const key = this.keys.get(name)
    if (method === 'GET') return this.#read(key)
    if (key === undefined) throw refusal(400, 'encryption key not found')
    if (key.softDeleted) throw refusal(400, 'key has been soft-deleted')
    return { status: 200, body: { data: this.#do(operation, key, body) } }
  }

  #read(key: FakeTransitKey | undefined): JsonAnswer {
    if (key === undefined) throw new Refusal(404, { errors: [] })
    const { derived, type } = key
    const data = {
      derived,
      type,
      min_available_version: key.minAvailableVersion,
      min_decryption_version: key.minDecryptionVersion,
      ...(key.softDeleted ? { soft_deleted: true } : {}),
    }
    return { status: 200, body: { data } }
  }

  #do(operation: string, key: FakeTransitKey, body: JsonRequest['body']): object {
    const { context = '', ciphertext = '', plaintext = '' } = body
    if (key.derived && context === '') throw refusal(400, "missing 'context' for key derivation")
    switch (operation) {
      case 'datakey/plaintext': {
        const made = randomBytes(32)
        return { plaintext: made.toString('base64'), ciphertext: this.#seal(key, made, context) }
      }
      case 'encrypt':
        return { ciphertext: this.#seal(key, Buffer.from(plaintext, 'base64'), context) }
      case 'decrypt':
        return { plaintext: this.#open(key, ciphertext, context).toString('base64') }
      case 'rewrap':
        return { ciphertext: this.#seal(key, this.#open(key, ciphertext, context), context) }
      default:
        throw refusal(404, '1 error occurred: * unsupported path')
    }
  }

  #seal(key: FakeTransitKey, plaintext: Buffer, context: string): string {
    const version = key.versions.length
    const iv = randomBytes(12)
    const cipher = createCipheriv(ALGORITHM, keyFor(key, version, context), iv)
    const body = [iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]
    return `vault:v${version}:${Buffer.concat(body).toString('base64')}`
  }

  #open(key: FakeTransitKey, ciphertext: string, context: string): Buffer {
    const [, digits = '', text = ''] = /^vault:v(\d+):(.*)$/.exec(ciphertext) ?? []
    const version = Number(digits)
    if (version > key.versions.length) {
      throw refusal(400, 'invalid ciphertext: version is too new')
    }
    if (version < key.minDecryptionVersion) {
      throw refusal(400, 'ciphertext or signature version is disallowed by policy (too old)')
    }
    const bytes = Buffer.from(text, 'base64')
    if (bytes.length < 28) throw refusal(400, 'invalid ciphertext length')
    try {
      const iv = bytes.subarray(0, 12)
      const decipher = createDecipheriv(ALGORITHM, keyFor(key, version, context), iv)
      decipher.setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
    } catch {
      throw refusal(400, 'cipher: message authentication failed')
    }
  }
}

/** What Vault says in a refusal. */
export function refusal(status: number, ...errors: string[]): Refusal {
  return new Refusal(status, { errors })
}

function keyFor(key: FakeTransitKey, version: number, context: string): Buffer {
  const root = key.versions[version - 1] as Buffer
  if (!key.derived) return root
  return Buffer.from(hkdfSync('sha256', root, '', Buffer.from(context, 'base64'), 32))
}
