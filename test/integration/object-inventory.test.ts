import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3'
import { expect, inject, it } from 'vitest'
import { createS3Client, type S3Options } from '../../src/adapters/s3/s3-client.ts'
import { S3ObjectInventory } from '../../src/adapters/s3/s3-object-inventory.ts'
import { S3ObjectReader } from '../../src/adapters/s3/s3-object-reader.ts'
import { S3ObjectStore } from '../../src/adapters/s3/s3-object-store.ts'
import type { StoredObject } from '../../src/segment/object-inventory.ts'
import { objectInventoryContract } from '../contracts/object-inventory.contract.ts'

const options: S3Options = {
  ...inject('stack').s3,
  forcePathStyle: true,
  requestTimeoutMs: 30_000,
}

/** So few that the contract walks over several pages. */
const PAGE_ITEMS = 3

function partsOf(of: S3Options) {
  const [store, reader] = [new S3ObjectStore(of), new S3ObjectReader(of)]
  const inventory = new S3ObjectInventory(of, PAGE_ITEMS)
  const close = async () => {
    await Promise.all([store.close(), reader.close(), inventory.close()])
  }
  return { store, reader, inventory, close }
}

objectInventoryContract('a bucket without versions', () => partsOf(options))

objectInventoryContract('a bucket with versions', async () => {
  const versioned = { ...options, bucket: 'inventory-versions' }
  const client = createS3Client(versioned, 1)
  await client.send(
    new CreateBucketCommand({ Bucket: versioned.bucket, ObjectLockEnabledForBucket: true }),
  )
  await client.send(
    new PutBucketVersioningCommand({
      Bucket: versioned.bucket,
      VersioningConfiguration: { Status: 'Enabled' },
    }),
  )
  const others = {
    async replace(Key: string, Body: Buffer) {
      await client.send(new PutObjectCommand({ Bucket: versioned.bucket, Key, Body }))
    },
    async cover(Key: string) {
      await client.send(new DeleteObjectCommand({ Bucket: versioned.bucket, Key }))
    },
    async retain({ key: Key, versionId }: StoredObject, untilMs: number) {
      await client.send(
        new PutObjectRetentionCommand({
          ...{ Bucket: versioned.bucket, Key, VersionId: versionId as string },
          Retention: { Mode: 'COMPLIANCE', RetainUntilDate: new Date(untilMs) },
        }),
      )
    },
  }
  return { ...partsOf(versioned), others }
})

objectInventoryContract('a server that cannot list versions', async () => {
  const server = serverWithoutVersions(options.endpoint as string)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { close, ...parts } = partsOf({ ...options, endpoint: `http://127.0.0.1:${port}` })
  return {
    ...parts,
    async close() {
      await close()
      server.closeAllConnections()
      server.close()
    },
  }
})

/** The S3 server behind one that answers as those do that never heard of versions. */
function serverWithoutVersions(endpoint: string) {
  return createServer((incoming, answer) => {
    if (new URL(incoming.url ?? '/', endpoint).searchParams.has('versions')) {
      answer.writeHead(501, { 'content-type': 'application/xml' })
      answer.end('<Error><Code>NotImplemented</Code><Message>no versions</Message></Error>')
      return
    }
    // The signature holds for the host that the client asked.
    const { method, headers, url } = incoming
    const passed = request(new URL(url ?? '/', endpoint), { method, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 500, from.headers)
      from.pipe(answer)
    })
    incoming.pipe(passed)
  })
}

it.each([
  ['a bucket that does not exist', { bucket: 'no-such-bucket' }, 's3.bucket'],
  ['an unknown access key', { accessKeyId: 'nobody' }, 's3.accessKeyId'],
])('names the setting to mend for %s', async (_what, wrong, setting) => {
  const inventory = new S3ObjectInventory({ ...options, ...wrong })
  const refused = {
    code: 'SEAL_STORE_REFUSED',
    retryable: false,
    message: expect.stringContaining(setting),
  }
  await expect(inventory.objects('x').next()).rejects.toMatchObject(refused)
  await expect(inventory.uploads('x').next()).rejects.toMatchObject(refused)
  await inventory.close()
})

it('says that S3 is away, and that a later try may succeed', async () => {
  // Port 9 is discard: nothing listens there.
  const inventory = new S3ObjectInventory({ ...options, endpoint: 'http://127.0.0.1:9' })
  await expect(inventory.objects('x').next()).rejects.toMatchObject({
    code: 'SEAL_STORE_UNAVAILABLE',
    retryable: true,
  })
  await inventory.close()
})
