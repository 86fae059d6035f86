import { join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import type { StackEndpoints } from '../../docker/stack/stack.ts'
import { AwsKms } from '../../src/adapters/kms/aws-kms.ts'
import { kmsContextOf } from '../../src/keys/kms-context.ts'
import { DemoError } from './demo-error.ts'
import { searchFolders } from './plaintext-search.ts'

/** Everything that was written while the demo ran. */
const SEARCHED = ['data', 'logs', 'encryptor']
const KEY_DIRECTORY = 'sealstream/deks/'
const KMS_TIMEOUT_MS = 10_000

/** What the search for the bytes of data keys saw. */
export interface KeyFigures {
  readonly keys: number
  readonly files: number
  readonly hits: number
}

interface DirectoryEntry {
  readonly dekId: string
  readonly keyDomain: string
  readonly kekId: string
  readonly wrapped: string
}

/**
 * Unwraps every data key of the demo by the KMS, and looks for its bytes (raw, hex, base64) in all
 * that was written. Throws a DemoError, which names the file and no byte, when one is found.
 */
export async function checkKeyBytes(
  directory: string,
  endpoints: StackEndpoints,
): Promise<KeyFigures> {
  const entries = await keyDirectory(endpoints.s3)
  const kms = new AwsKms({ ...endpoints.kms, requestTimeoutMs: KMS_TIMEOUT_MS })
  const needles: Buffer[] = []
  try {
    for (const { dekId, keyDomain, kekId, wrapped } of entries) {
      const context = kmsContextOf(dekId, keyDomain)
      const key = Buffer.from(await kms.unwrap(kekId, Buffer.from(wrapped, 'base64url'), context))
      needles.push(key, Buffer.from(key.toString('hex')), Buffer.from(key.toString('base64')))
    }
  } finally {
    await kms.close()
  }
  const folders = SEARCHED.map((name) => join(directory, name))
  const { files, found } = await searchFolders(folders, needles)
  const leak = [...found.values()][0]
  if (leak !== undefined) throw new DemoError(`the bytes of a data key stand in ${leak}`)
  return { keys: entries.length, files, hits: found.size }
}

async function keyDirectory(s3: StackEndpoints['s3']): Promise<DirectoryEntry[]> {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = s3
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  try {
    const listed = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: KEY_DIRECTORY }),
    )
    const entries: DirectoryEntry[] = []
    for (const { Key } of listed.Contents ?? []) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }))
      entries.push(JSON.parse((await Body?.transformToString()) ?? '') as DirectoryEntry)
    }
    return entries
  } finally {
    client.destroy()
  }
}
