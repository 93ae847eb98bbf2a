"""`whatsapp-message-send`: one WhatsApp message, at most once visibly.

`payload` says what can be asked for, `policy` how it retries, `steps` decides,
`processor` does, `job` registers it.
"""
