import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import { SecretBytes } from '../../src/crypto/secret-bytes.ts'
import { keysForSegment } from '../../src/crypto/segment-keys.ts'
import { decodeMetadata } from '../../src/format/segment-metadata.ts'
import { kmsContextOf } from '../../src/keys/kms-context.ts'
import type { SealingPlace } from './sealing-place.ts'

/** The bytes of keys by name: the id of a DEK, or `frame key of <segment>`. */
export type KnownKeys = Record<string, Uint8Array>

/** The keys of a place as its owner can get them: wraps from the key directory, opened by the KMS. */
export class KeyFinder implements Disposable {
  readonly #place: SealingPlace
  readonly #store: S3Client
  readonly #kms: KMSClient
  readonly #bucket: string

  constructor(place: SealingPlace) {
    const { bucket, accessKeyId, secretAccessKey, ...s3 } = place.stack.s3
    const { keyId: _keyId, ...kms } = place.stack.kms
    this.#place = place
    this.#bucket = bucket
    const credentials = { accessKeyId, secretAccessKey }
    this.#store = new S3Client({ ...s3, credentials, forcePathStyle: true })
    this.#kms = new KMSClient({ ...kms, credentials: kms })
  }

  /** Every DEK in the key directory. */
  async deks(): Promise<KnownKeys> {
    const found: KnownKeys = {}
    for (const Key of await this.#objects('deks')) {
      const { Body } = await this.#store.send(new GetObjectCommand({ Bucket: this.#bucket, Key }))
      const entry = JSON.parse((await Body?.transformToString()) ?? '')
      const CiphertextBlob = Buffer.from(entry.wrapped, 'base64url')
      const EncryptionContext = { ...kmsContextOf(entry.dekId, entry.keyDomain) }
      const command = new DecryptCommand({ CiphertextBlob, EncryptionContext })
      const { Plaintext } = await this.#kms.send(command)
      found[entry.dekId] = Plaintext ?? new Uint8Array(0)
    }
    return found
  }

  /** Frame and footer keys of every stored segment, by the id of its DEK. */
  async segmentKeys(deks: KnownKeys): Promise<Record<string, KnownKeys>> {
    const found: Record<string, KnownKeys> = {}
    for (const Key of await this.#objects('segments')) {
      const head = new HeadObjectCommand({ Bucket: this.#bucket, Key })
      const { Metadata } = await this.#store.send(head)
      const { header } = decodeMetadata(Metadata ?? {})
      const dek = Uint8Array.from(deks[header.dekId] as Uint8Array)
      const { frameKey, footerKey } = keysForSegment(SecretBytes.takeFrom(dek), header)
      const copy = (key: SecretBytes) => key.reveal((bytes) => Uint8Array.from(bytes))
      found[header.dekId] = {
        ...found[header.dekId],
        [`frame key of ${header.segmentId}`]: copy(frameKey),
        [`footer key of ${header.segmentId}`]: copy(footerKey),
      }
    }
    return found
  }

  [Symbol.dispose](): void {
    this.#store.destroy()
    this.#kms.destroy()
  }

  async #objects(folder: 'deks' | 'segments'): Promise<string[]> {
    const Prefix = `${this.#place.prefix}/${folder}/`
    const listed = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix })
    const { Contents = [] } = await this.#store.send(listed)
    return Contents.map(({ Key }) => Key as string)
  }
}
