import type { KeyObject } from 'node:crypto'
import { unwrapKey, wrapKey } from '../../crypto/key-wrap.ts'
import { SealError } from '../../errors.ts'
import type { KmsContext, WrappedKey } from '../../keys/kms.ts'
import { canonicalContext } from '../../keys/kms-context.ts'
import { type KekVersions, LocalKeyFile } from './local-key-file.ts'
import { decodeWrap, encodeWrap, notTheWrap } from './versioned-wrap.ts'
import { WrappingKms } from './wrapping-kms.ts'

/** Where the KEKs are. */
export interface LocalKmsOptions {
  /** Made by `sealstream keys local-file`; mode 0600. */
  readonly keyFile: string
}

const PREFIX = 'local/'
const VERSION_BYTES = 4

/**
 * KEKs in a file of this machine, for laptops and tests: whoever has the file has every key. Wraps
 * with AES-256-GCM under the newest version, bound to the canonical context. Full names are
 * `local/NAME`; versions count from 1.
 */
export class LocalKms extends WrappingKms {
  readonly #path: string
  readonly #file: LocalKeyFile

  constructor({ keyFile }: LocalKmsOptions) {
    super()
    this.#path = keyFile
    this.#file = new LocalKeyFile(keyFile)
  }

  protected override async wrapDek(
    _doing: string,
    kekId: string,
    dek: Uint8Array,
    context: KmsContext,
  ): Promise<WrappedKey> {
    return wrapUnderNewest(kekId, await this.#versionsOf(kekId), dek, context)
  }

  protected override async unwrapDek(
    _doing: string,
    kekId: string,
    wrapped: Uint8Array,
    context: KmsContext,
  ): Promise<Uint8Array> {
    const versions = await this.#versionsOf(kekId)
    const { version, sealed } = decodeWrap(kekId, wrapped)
    if (version.length !== VERSION_BYTES) throw notTheWrap(kekId)
    const number = Buffer.from(version).readUInt32BE()
    const kek = versions.get(number)
    if (kek === undefined) throw this.#destroyed(`version ${number} of the key ${kekId}`)
    const plaintext = unwrapKey(kek, sealed, canonicalContext(context))
    if (plaintext === null) throw notTheWrap(kekId)
    return plaintext
  }

  override async close(): Promise<void> {}

  async #versionsOf(kekId: string): Promise<KekVersions> {
    const versions = (await this.#file.keys()).get(nameOf(kekId))
    if (versions === undefined) throw this.#destroyed(`key ${kekId}`)
    return versions
  }

  #destroyed(what: string): SealError {
    return new SealError(
      'SEAL_KEK_DESTROYED',
      `there is no ${what} in ${this.#path}; mend kms.keyId or bring the key back`,
    )
  }
}

function nameOf(kekId: string): string {
  return kekId.startsWith(PREFIX) ? kekId.slice(PREFIX.length) : kekId
}

function wrapUnderNewest(
  kekId: string,
  versions: KekVersions,
  plaintext: Uint8Array,
  context: KmsContext,
): WrappedKey {
  // A file is refused unless every key has a version.
  const [number, kek] = [...versions].at(-1) as [number, KeyObject]
  const version = Buffer.alloc(VERSION_BYTES)
  version.writeUInt32BE(number)
  const sealed = wrapKey(kek, plaintext, canonicalContext(context))
  return {
    wrapped: encodeWrap({ version, sealed }),
    kekId: PREFIX + nameOf(kekId),
    kekVersion: String(number),
  }
}
