import { randomUUID } from 'node:crypto'
import { describe, expect, inject, it } from 'vitest'
import type { S3Options } from '../../src/adapters/s3/s3-client.ts'
import { S3ObjectReader } from '../../src/adapters/s3/s3-object-reader.ts'
import { S3ObjectStore } from '../../src/adapters/s3/s3-object-store.ts'
import { objectStoreContract } from '../contracts/object-store.contract.ts'

const options: S3Options = {
  ...inject('stack').s3,
  forcePathStyle: true,
  requestTimeoutMs: 30_000,
}

objectStoreContract('S3', () => {
  const [store, reader] = [new S3ObjectStore(options), new S3ObjectReader(options)]
  const close = async () => {
    await Promise.all([store.close(), reader.close()])
  }
  return { store, reader, close }
})

describe('S3ObjectStore', () => {
  it.each([
    ['a bucket that does not exist', { bucket: 'no-such-bucket' }, 's3.bucket'],
    ['an unknown access key', { accessKeyId: 'nobody' }, 's3.accessKeyId'],
    ['a wrong secret', { secretAccessKey: 'wrong' }, 's3.secretAccessKey'],
  ])('names the setting to mend for %s', async (_what, wrong, setting) => {
    const store = new S3ObjectStore({ ...options, ...wrong })
    const writing = store.put(`contract/${randomUUID()}`, Buffer.from('x'), {})
    await expect(writing).rejects.toMatchObject({
      code: 'SEAL_STORE_REFUSED',
      retryable: false,
      message: expect.stringContaining(setting),
    })
    await expect(store.checkWritable('contract')).rejects.toMatchObject({
      code: 'SEAL_STORE_REFUSED',
    })
    await store.close()
  })

  it('finds out whether it can write, and leaves nothing behind', async () => {
    const [store, reader] = [new S3ObjectStore(options), new S3ObjectReader(options)]
    await store.checkWritable('contract')
    await expect(reader.readRange('contract/write-check', 0, 1)).rejects.toMatchObject({
      code: 'SEAL_OBJECT_MISSING',
    })
    await Promise.all([store.close(), reader.close()])
  })

  it('says that S3 is away, and that a later try may succeed', async () => {
    // Port 9 is discard: nothing listens there.
    const store = new S3ObjectStore({ ...options, endpoint: 'http://127.0.0.1:9' })
    await expect(store.put('contract/x', Buffer.from('x'), {})).rejects.toMatchObject({
      code: 'SEAL_STORE_UNAVAILABLE',
      retryable: true,
    })
    await store.close()
  })
})
