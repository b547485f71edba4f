"""What Claude takes, whoever hosts it and in whichever dialect: shared by anthropic-messages and bedrock-converse."""
