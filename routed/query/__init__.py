"""What a looking glass asks and answers: values and texts, and nothing of sockets or stores."""
