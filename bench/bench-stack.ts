import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expectShortLives } from '../docker/stack/short-lived.ts'
import { resetStack, type StackEndpoints, startStack } from '../docker/stack/stack.ts'
import { benchEnd } from './bench-end.ts'

/** Services of a benchmark, and how it ends what it starts beside them. */
export interface BenchStack extends StackEndpoints {
  /** Has `end` called before the services end, however the benchmark ends. */
  readonly defer: (end: () => Promise<void>) => void
  /** The file to which the S3 server writes a line for each request. */
  readonly s3Log: string
}

/** How services are started. */
export interface BenchStackOptions {
  /** Without the second compiler of the JVM: for services that live for a minute or two. */
  readonly isShortLived?: boolean
  /**
   * Whether the S3 server keeps connections open between requests, as S3 does. The one here does not by
   * default, because it breaks them behind uploads that are streamed; ours are not.
   */
  readonly keepsS3Connections?: boolean
}

let running: { readonly stack: BenchStack; readonly directory: string } | null = null

/**
 * Runs `work` with services of its own in a folder of their own, and takes both away afterwards; also
 * when the program is asked to end, which this rejects with. Within such work, another one shares them.
 */
export async function withBenchStack<T>(
  work: (stack: BenchStack, directory: string) => Promise<T>,
  { isShortLived = false, keepsS3Connections = false }: BenchStackOptions = {},
): Promise<T> {
  if (running !== null) return work(running.stack, running.directory)
  const directory = mkdtempSync(join(tmpdir(), 'sealstream-bench-'))
  const ends: (() => Promise<void>)[] = []
  let isOver = false
  const stopping = benchEnd()
  try {
    if (isShortLived) expectShortLives()
    const s3Log = join(directory, 's3-requests.log')
    // The server takes it from its environment, which is ours.
    process.env.VGW_ACCESS_LOG = s3Log
    process.env.VGW_KEEP_ALIVE = String(keepsS3Connections)
    // ETags of a CRC-64 instead of MD5, which takes half of its CPU; S3 has no MD5 under SSE-KMS either.
    process.env.VGW_DATA_INTEGRITY_ETAG = 'true'
    const stack = await startStack({
      directory,
      ports: 'free',
      report: ({ part, step }) => process.stderr.write(`${part} ${step}\n`),
    })
    stopping.throwIfAborted()
    const defer = (end: () => Promise<void>) => {
      // Work that was interrupted goes on for a moment; what it starts then ends at once.
      if (isOver) void end().catch(() => {})
      else ends.push(end)
    }
    const scene = { ...stack, s3Log, defer }
    running = { stack: scene, directory }
    return await Promise.race([work(scene, directory), aborted(stopping)])
  } finally {
    running = null
    isOver = true
    for (const end of ends.reverse()) await end().catch(() => {})
    await resetStack(directory)
    rmSync(directory, { recursive: true, force: true })
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
