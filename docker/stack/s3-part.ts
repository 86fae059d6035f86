import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { partFolder } from './install.ts'
import type { Part, PartContext } from './part.ts'
import type { StackEndpoints, StackPorts } from './stack-model.ts'

/** versitygw, an S3 server over a folder, with versioning. */
export const s3Part: Part = {
  name: 's3',
  portNames: ['s3'],
  graceMs: 5_000,
  address: (ports) => s3Endpoint(ports).endpoint,
  async plan({ directory, ports }) {
    // The server wants absolute folders, neither name being the beginning of the other.
    const objects = join(directory, 'data', 's3', 'objects')
    const versions = join(directory, 'data', 's3', 'versions')
    mkdirSync(objects, { recursive: true })
    mkdirSync(versions, { recursive: true })
    const { accessKeyId, secretAccessKey } = s3Endpoint(ports)
    // Never with --keep-alive: a streamed upload then breaks the next request on its connection.
    const server = ['--port', `127.0.0.1:${ports.s3}`, '--health', '/health', '--quiet']
    return {
      command: join(partFolder('s3'), 'versitygw'),
      args: [...server, 'posix', '--versioning-dir', versions, objects],
      cwd: join(directory, 'data', 's3'),
      env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
    }
  },
  async furnish({ ports }) {
    await withClient(ports, async (client, Bucket) => {
      await client.send(new HeadBucketCommand({ Bucket })).catch(async (error: Error) => {
        if (error.name !== 'NotFound') throw error
        await client.send(new CreateBucketCommand({ Bucket }))
      })
    })
  },
  probe,
}

/** Address, bucket and credentials of the S3 server. */
export function s3Endpoint(ports: StackPorts): StackEndpoints['s3'] {
  return {
    endpoint: `http://127.0.0.1:${ports.s3}`,
    region: 'us-east-1',
    bucket: 'sealstream',
    accessKeyId: 'sealstream',
    secretAccessKey: 'sealstream-local-secret',
  }
}

async function probe({ ports }: PartContext): Promise<void> {
  const { endpoint } = s3Endpoint(ports)
  const health = await fetch(`${endpoint}/health`, { signal: AbortSignal.timeout(5_000) })
  if (!health.ok) throw new Error(`GET /health answers ${health.status}`)
  await withClient(ports, (client, Bucket) => client.send(new HeadBucketCommand({ Bucket })))
}

async function withClient(
  ports: StackPorts,
  work: (client: S3Client, bucket: string) => Promise<unknown>,
): Promise<void> {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = s3Endpoint(ports)
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: { requestTimeout: 5_000, throwOnRequestTimeout: true },
  })
  try {
    await work(client, bucket)
  } finally {
    client.destroy()
  }
}
