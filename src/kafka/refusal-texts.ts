import response from 'kafkajs/src/protocol/requests/createTopics/v3/response.js'

let isMended = false

/** KafkaJS drops the text in which a broker says why it does not create a topic. We keep it. May be called more than once. */
export function keepRefusalTexts(): void {
  if (isMended) return
  isMended = true
  const { parse } = response
  response.parse = async answer => {
    try {
      return await parse(answer)
    } catch (error) {
      const said = new Map(answer.topicErrors.map(({ topic, errorMessage }) => [topic, errorMessage]))
      for (const refusal of (error as { errors: { topic: string; message: string }[] }).errors)
        refusal.message = said.get(refusal.topic) ?? refusal.message
      throw error
    }
  }
}
