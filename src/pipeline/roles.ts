import type { Right } from '../kafka/index.ts'
import type { Role } from '../options.ts'
import { topicsOf, workersGroup } from './topic-names.ts'

/**
 * The rights of a user in a pipeline whose topics exist. The right to Read or to Write includes that to Describe.
 * - `publish`: sends rows and events, opens, cancels and replays jobs
 * - `work`: classifies
 * - `collect`: reads results into a file, and fails a job with too many rejects
 * - `monitor`: lists jobs and rejects, follows results, and verifies
 * - `admin`: removes jobs
 */
export function rightsOf(role: Role, pipeline: string): Right[] {
  const { jobs, rows, bulk, results, rejects } = topicsOf(pipeline)
  const on = (operation: Right['operation'], topics: readonly string[]): Right[] =>
    topics.map(name => ({ operation, resource: 'topic', name }))
  // Each later attempt of a job has a group of its own, whose name begins so.
  const group = (operation: Right['operation']): Right[] => [
    { operation, resource: 'group', name: workersGroup(pipeline), prefixed: true },
  ]
  switch (role) {
    case 'publish':
      return [
        ...on('Read', [jobs, rows, bulk, results]),
        ...on('Write', [jobs, rows, bulk]),
        ...on('Describe', [rejects]),
      ]
    case 'work':
      return [...on('Read', [jobs, rows, bulk, results]), ...on('Write', [jobs, results, rejects]), ...group('Read')]
    case 'collect':
      return [
        ...on('Read', [jobs, results]),
        ...on('Write', [jobs]),
        ...on('Describe', [rows, bulk, rejects]),
        ...group('Describe'),
      ]
    case 'monitor':
      return [...on('Read', [jobs, rows, bulk, results, rejects]), ...group('Describe')]
    case 'admin':
      return [
        ...on('Read', [jobs, results]),
        ...on('Write', [jobs]),
        ...on('Delete', [jobs]), // of the records before the oldest job that is kept
        ...on('Describe', [rows, bulk]),
        ...group('Describe'),
      ]
  }
}

/**
 * Lets a command report what it does while it runs, in the topic `reports`, or read what others report. Without it every
 * command does its work all the same.
 */
export function reportRights(role: Role, pipeline: string): Right[] {
  if (role === 'admin') return []
  const name = topicsOf(pipeline).reports
  return [{ operation: role === 'monitor' ? 'Read' : 'Write', resource: 'topic', name }]
}

/** Lets us find out how large a row may be. Without it we expect that the topics are as we make them. */
export function usefulRights(pipeline: string): Right[] {
  const { reports, ...topics } = topicsOf(pipeline)
  return Object.values(topics).map(name => ({ operation: 'DescribeConfigs', resource: 'topic', name }))
}

/** The role that a command belongs to. */
export function roleOf(command: string): Role {
  if (command === 'work' || command === 'collect') return command
  if (command === 'jobs rm') return 'admin'
  return ['publish', 'jobs open', 'jobs cancel', 'rejects replay'].includes(command) ? 'publish' : 'monitor'
}

/** What a role does first with a topic. This names the missing right of a user who may not even describe the topic. */
export function operationOn(topic: string, role: Role, pipeline: string): Right['operation'] {
  return rightsOf(role, pipeline).find(({ name }) => name === topic)?.operation ?? 'Describe'
}
