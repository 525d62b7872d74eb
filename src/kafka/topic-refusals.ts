/** What the broker says of one topic that it does not create. */
export interface TopicRefusal {
  readonly topic: string
  /** Such as INVALID_CONFIG, POLICY_VIOLATION or TOPIC_AUTHORIZATION_FAILED. */
  readonly type: string
  readonly text: string
}

/** The broker does not create these topics. It may have created others. */
export class TopicsRefused extends Error {
  readonly refusals: readonly TopicRefusal[]

  constructor(refusals: readonly TopicRefusal[], options: ErrorOptions) {
    super(refusals.map(({ topic, text }) => `topic ${topic} is not created: ${text}`).join('; '), options)
    this.refusals = refusals
  }
}

/** Those in an error of KafkaJS. A topic that exists already is no refusal. */
export function refusalsOf(error: unknown): TopicRefusal[] {
  const { errors = [] } = error as { errors?: readonly { topic: string; type: string; message: string }[] }
  return errors
    .filter(({ type }) => type !== 'TOPIC_ALREADY_EXISTS')
    .map(({ topic, type, message }) => ({ topic, type, text: message }))
}
