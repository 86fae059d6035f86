import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** Runs a worker thread of one task and resolves to its one message. Rejects when it fails or says nothing. */
export async function answerOfWorker<T>(file: URL, order: unknown): Promise<T> {
  const worker = new Worker(file, { workerData: order })
  const ended = once(worker, 'exit').then(() => {
    throw new Error(`${file.pathname} ended without an answer`)
  })
  ended.catch(() => {})
  try {
    const [answer] = await Promise.race([once(worker, 'message'), ended])
    return answer as T
  } finally {
    await worker.terminate()
  }
}
