"""Ordinary system texts that may stand before the names of the functions."""

SYSTEMS = """You are a helpful assistant.
You are an assistant on a phone.
Be brief.
Help the user with everyday tasks.
You control a phone and a smart home.
Answer with function calls only.
You are the assistant of a small device.
Use the functions below.
You can call these functions:
Choose the right function for the request.
Only use the listed tools.
You are a friendly voice assistant.
Do what the user asks.
The user speaks English.
Pick the tools that serve the request.
You're a personal assistant.
Respond in JSON.
Tools:
Available functions:
You are an on-device assistant. Call a function or decline.
If no function fits, say so.
Act on the user's last message.
Be accurate.
You help with timers, alarms, messages and more.
You are running offline.
Never invent information.
Keep it short and correct.
You handle requests for one user.
Functions you may call:
Today you assist a busy person.""".splitlines()
