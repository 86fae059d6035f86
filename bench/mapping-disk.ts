import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { partFolder } from '../docker/stack/install.ts'
import { toolCommand } from '../docker/stack/prerequisites.ts'
import { runTool } from '../docker/stack/run-tool.ts'
import { readStackRecord } from '../docker/stack/stack-record.ts'
import { renderTemplate } from '../docker/stack/template.ts'

/**
 * Has Cassandra write out what it holds in memory. The jars of the stack have nodetool in them, and
 * no script to start it.
 */
export async function flushTables(directory: string, keyspace: string): Promise<void> {
  const port = String(readStackRecord(directory)?.ports.cassandraJmx)
  const classPath = join(partFolder('cassandra'), '*')
  const openings = renderTemplate('cassandra-jvm-options.txt', {}).split('\n')
  const nodetool = [
    ...openings.filter((line) => line.startsWith('--add-')),
    // It keeps a history in the home directory.
    `-Duser.home=${directory}`,
    ...['-cp', classPath, 'org.apache.cassandra.tools.NodeTool', '-p', port],
  ]
  await runTool('the flush', toolCommand('java'), [...nodetool, 'flush', keyspace])
}

/** Bytes of all files that the tables of a keyspace have on disk, by the name of the table. */
export function tableBytes(directory: string, keyspace: string): ReadonlyMap<string, number> {
  const root = join(directory, 'data', 'cassandra', 'data', keyspace)
  const sums = readdirSync(root).map((folder) => {
    const files = readdirSync(join(root, folder), { withFileTypes: true })
    const bytes = files
      .filter((file) => file.isFile())
      .map((file) => statSync(join(root, folder, file.name)).size)
    // The id of the table follows its name.
    return [folder.slice(0, folder.lastIndexOf('-')), bytes.reduce((a, b) => a + b, 0)] as const
  })
  return new Map(sums)
}
