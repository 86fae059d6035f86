import { relative } from 'node:path'
import type { StackEndpoints } from '../../docker/stack/stack.ts'

/** What a kept demo is, for the hints. */
export interface Kept {
  readonly endpoints: StackEndpoints
  readonly configPath: string
  readonly httpPort: number
  readonly topics: readonly string[]
  readonly dekId: string
  /** Where the user types; paths are shown from here. */
  readonly workingDirectory: string
}

/** Lines that say what still runs and how to look at it; every command can be copied. */
export function keptHints(kept: Kept): string[] {
  const { endpoints, httpPort, topics, dekId } = kept
  const { kafka, cassandra, s3, kms } = endpoints
  const config = relative(kept.workingDirectory, kept.configPath)
  const topic = topics.at(-1) ?? ''
  return [
    '  Everything goes on running, and what you produce now is sealed too:',
    `    Kafka ${kafka.brokers.join(',')}   Cassandra ${cassandra.contactPoints.join(',')}`,
    `    S3 ${s3.endpoint} (bucket ${s3.bucket})   KMS ${kms.endpoint}`,
    '  Read messages through their references, ask what a data key protected:',
    `    export SEALSTREAM_CONFIG=${config}`,
    `    npm run -s sealstream -- read ${topic} -n 3`,
    `    npm run -s sealstream -- impact --dek ${dekId}`,
    '  Metrics and readiness:',
    `    curl -s http://127.0.0.1:${httpPort}/metrics | grep ^sealstream_`,
    `    curl -s http://127.0.0.1:${httpPort}/readyz`,
    '  Stop and delete it all:',
    '    npm run demo -- --stop',
  ]
}
