import { systemClock } from '../../clock.ts'
import { isSealError, SealError } from '../../errors.ts'
import type { GeneratedDataKey, Kms, KmsContext, WrappedKey } from '../../keys/kms.ts'
import { canonicalContext } from '../../keys/kms-context.ts'
import { VaultClient, type VaultKmsOptions } from './vault-client.ts'
import { vaultFailure } from './vault-failures.ts'

/** A key of a Transit engine. */
interface KeyPlace {
  readonly mount: string
  readonly name: string
}

/** A path below a mount, up to the name of the key. */
type Operation = 'keys' | 'datakey/plaintext' | 'decrypt' | 'encrypt' | 'rewrap'

type Fields = Readonly<Record<string, unknown>>

/** `vault:v<version>:<base64 of nonce, ciphertext and tag>`. */
const CIPHERTEXT = /^vault:v([1-9]\d{0,8}):[A-Za-z0-9+/]+={0,2}$/
/** Vault's rule for names of keys. */
const KEY_NAME = /^\w(?:[\w.-]*\w)?$/
/** Kinds of keys that derive and wrap with 256 bits. */
const KEY_TYPES = new Set(['aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305'])
/** How long what was read of a key holds: it can be deleted and made again under its name. */
const READ_HOLDS_MS = 5 * 60_000

/**
 * KEKs in the Transit engine of HashiCorp Vault or OpenBao, named `<mount>/<name>` in full. A wrap is
 * Vault's own text, `vault:v<version>:...`, in ASCII. The context is bound by derivation: every
 * context has an encryption key of its own, derived by Vault, so a wrong one does not authenticate.
 * Keys that do not derive would ignore the context, and are refused.
 */
export class VaultKms implements Kms {
  readonly #client: VaultClient
  readonly #where: string
  readonly #mount: string
  /** Until when a key counts as read, by full name. */
  readonly #readUntilMs = new Map<string, number>()

  constructor(options: VaultKmsOptions) {
    this.#client = new VaultClient(options)
    this.#where = options.address
    this.#mount = options.mount
  }

  async generateDataKey(kekId: string, context: KmsContext): Promise<GeneratedDataKey> {
    const doing = `a data key under ${kekId}`
    const key = this.#placeOf(kekId)
    await this.#requireUsable(key, doing)
    const body = { context: contextText(context), bits: 256 }
    const data = await this.#ask(key, 'datakey/plaintext', doing, body)
    const wrap = this.#wrapOf(key, data)
    return { plaintext: Buffer.from(this.#textOf(data, 'plaintext'), 'base64'), ...wrap }
  }

  async unwrap(kekId: string, wrapped: Uint8Array, context: KmsContext): Promise<Uint8Array> {
    const text = await this.#decrypt(kekId, wrapped, context, `unwrapping under ${kekId}`)
    return Buffer.from(text, 'base64')
  }

  async rewrap(
    kekId: string,
    wrapped: Uint8Array,
    toKekId: string,
    context: KmsContext,
  ): Promise<WrappedKey> {
    const doing = `rewrapping from ${kekId} to ${toKekId}`
    const to = this.#placeOf(toKekId)
    if (fullName(to) === fullName(this.#placeOf(kekId))) {
      await this.#requireUsable(to, doing)
      const [ciphertext, version] = ciphertextOf(wrapped, doing)
      const body = { ciphertext, context: contextText(context) }
      const data = await this.#openingWrap(to, version, doing, () =>
        this.#ask(to, 'rewrap', doing, body),
      )
      return this.#wrapOf(to, data)
    }
    // Read right before: `encrypt` makes a key that is not there, where the policy lets it.
    await this.#read(to, doing)
    const plaintext = await this.#decrypt(kekId, wrapped, context, doing)
    const body = { plaintext, context: contextText(context) }
    return this.#wrapOf(to, await this.#ask(to, 'encrypt', doing, body))
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  /** The DEK as the base64 text that Vault gives. */
  async #decrypt(
    kekId: string,
    wrapped: Uint8Array,
    context: KmsContext,
    doing: string,
  ): Promise<string> {
    const key = this.#placeOf(kekId)
    const [ciphertext, version] = ciphertextOf(wrapped, doing)
    await this.#requireUsable(key, doing)
    const body = { ciphertext, context: contextText(context) }
    const data = await this.#openingWrap(key, version, doing, () =>
      this.#ask(key, 'decrypt', doing, body),
    )
    return this.#textOf(data, 'plaintext')
  }

  /** Vault says the same of a version that is held back and of one that was trimmed away for good. */
  async #openingWrap<T>(
    key: KeyPlace,
    version: number,
    doing: string,
    call: () => Promise<T>,
  ): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (!isSealError(error, 'SEAL_KEK_DISABLED')) throw error
      const { min_available_version: oldest } = await this.#read(key, doing)
      if (typeof oldest !== 'number' || version >= oldest) throw error
      throw new SealError(
        'SEAL_KEK_DESTROYED',
        `${this.#where} cannot do ${doing}: version ${version} of ${fullName(key)} was trimmed away`,
      )
    }
  }

  async #requireUsable(key: KeyPlace, doing: string): Promise<void> {
    const until = this.#readUntilMs.get(fullName(key))
    if (until === undefined || systemClock.elapsedMs() >= until) await this.#read(key, doing)
  }

  /** What Vault tells of a key. Throws SEAL_KMS_REFUSED when the key binds no context. */
  async #read(key: KeyPlace, doing: string): Promise<Fields> {
    const data = await this.#ask(key, 'keys', doing)
    const name = fullName(key)
    if (data.soft_deleted === true) {
      throw new SealError('SEAL_KEK_DISABLED', `${name} is soft-deleted; restore it`)
    }
    if (data.derived !== true || !KEY_TYPES.has(String(data.type))) {
      const why = data.derived === true ? `is of type ${data.type}` : 'is not derived'
      throw new SealError(
        'SEAL_KMS_REFUSED',
        `${name} ${why}, so it cannot bind data keys to their purpose; make another key: vault write ${key.mount}/keys/NAME derived=true type=aes256-gcm96`,
      )
    }
    this.#readUntilMs.set(name, systemClock.elapsedMs() + READ_HOLDS_MS)
    return data
  }

  /** What an operation on a key answers; without a body it is a read. */
  async #ask(key: KeyPlace, operation: Operation, doing: string, body?: object): Promise<Fields> {
    const path = `${operation}/${key.name}`
    const mount = key.mount.split('/').map(encodeURIComponent).join('/')
    const method = body === undefined ? 'GET' : 'POST'
    const answer = await this.#client.send(method, `${mount}/${path}`, body)
    const data = answer.status === 200 ? answer.body?.data : null
    if (typeof data === 'object' && data !== null) return data as Fields
    const failure = vaultFailure(answer, { where: this.#where, doing, mount: key.mount, path })
    if (failure.code === 'SEAL_KEK_DESTROYED') this.#readUntilMs.delete(fullName(key))
    throw failure
  }

  #wrapOf(key: KeyPlace, data: Fields): WrappedKey {
    const ciphertext = this.#textOf(data, 'ciphertext')
    const version = CIPHERTEXT.exec(ciphertext)?.[1]
    if (version === undefined) throw this.#withoutKey()
    return { wrapped: Buffer.from(ciphertext), kekId: fullName(key), kekVersion: version }
  }

  #textOf(data: Fields, field: 'plaintext' | 'ciphertext'): string {
    const text = data[field]
    if (typeof text !== 'string' || text === '') throw this.#withoutKey()
    return text
  }

  #withoutKey(): SealError {
    return new SealError('SEAL_KMS_UNAVAILABLE', `${this.#where} answers without a key`, {
      retryable: true,
    })
  }

  #placeOf(kekId: string): KeyPlace {
    const at = kekId.lastIndexOf('/')
    const name = kekId.slice(at + 1)
    const mount = at < 0 ? this.#mount : kekId.slice(0, at)
    const steps = mount.split('/')
    if (KEY_NAME.test(name) && !steps.some((step) => /^\.{0,2}$/.test(step))) return { mount, name }
    throw new SealError('SEAL_KMS_REFUSED', `"${kekId}" can be no Transit key; mend kms.keyId`)
  }
}

function fullName({ mount, name }: KeyPlace): string {
  return `${mount}/${name}`
}

function contextText(context: KmsContext): string {
  return canonicalContext(context).toString('base64')
}

/** The text that Vault made, and the version in it. Throws SEAL_KEY_TAMPERED when it is none. */
function ciphertextOf(wrapped: Uint8Array, doing: string): [ciphertext: string, version: number] {
  const text = Buffer.from(wrapped).toString('latin1')
  const version = CIPHERTEXT.exec(text)?.[1]
  if (version !== undefined) return [text, Number(version)]
  throw new SealError('SEAL_KEY_TAMPERED', `${doing}: the wrapped key is none of Vault's`)
}
