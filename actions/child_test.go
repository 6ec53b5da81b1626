package actions

func child() int { return 0 }
